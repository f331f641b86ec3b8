// make demo: a cluster in a box, with real connections. make demo KEEP=1 leaves it for playing.
import { spawn } from 'node:child_process';
import { Cluster } from '../lab/cluster.ts';
import { build, calls, changes, killed, look, type Stage } from './scenes.ts';
import { Screen } from './screen.ts';

const KEEPER = '--keeper';

function howToPlay({ screen, cluster, node1, web1 }: Stage): void {
  const enter = (netns: string): string => `nsenter --net=/run/netns/${netns}`;
  screen.say();
  screen.say('The cluster stays. Things to try, as root:');
  screen.say(
    `   ${enter(cluster.client.netns)} bash       be the client outside; try: exec 3<>/dev/tcp/${node1.ipv4}/30080; head -1 <&3`,
  );
  screen.say(`   ${enter(node1.namespace.netns)} bin/turnout status ${node1.turnout.place.join(' ')}`);
  screen.say(`   ${enter(node1.namespace.netns)} bin/turnout services ${node1.turnout.place.join(' ')}`);
  screen.say(`   edit ${node1.turnout.manifests}/web.json       (take out ${web1.ipv4}, say: it is in force when you save)`);
  screen.say(`   tail -f ${node1.turnout.log}`);
  screen.say(`   kill ${process.pid}       removes everything`);
}

/** Resolves with the exit status, the cluster gone; or, to be kept, still there. */
async function play(isKept: boolean): Promise<number> {
  const screen = new Screen();
  screen.say('Turnout: Kubernetes Services in eBPF. A cluster in a box, and what it does with real connections.');
  screen.say();
  screen.say('   client 192.168.50.100 --+-- node1 192.168.50.11 -- pods shop, web-1');
  screen.say('                           +-- node2 192.168.50.12 -- pod web-2            (all of it IPv4 and IPv6)');
  const cluster = new Cluster();
  let stays = false;
  try {
    screen.scene('Building');
    const stage = await build(screen, cluster);
    await calls(stage);
    await changes(stage);
    await killed(stage);
    look(stage);
    const isGood = screen.end();
    if (isKept) howToPlay(stage);
    stays = isKept;
    return isGood ? 0 : 1;
  } finally {
    if (!stays) await cluster.close();
  }
}

/** A process of its own holds the kept cluster: its servers live with it, and it removes all when it is told to end. */
function playInBackground(): void {
  const child = spawn(process.execPath, [import.meta.filename, KEEPER], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  child.stdout?.pipe(process.stdout);
  child.stderr?.pipe(process.stderr);
  child.on('message', (status: number) => process.exit(status));
  child.on('exit', (status) => process.exit(status ?? 1));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'));
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) {
    console.error('make demo needs root: it makes network namespaces and loads eBPF programs. Type: sudo make demo');
    process.exit(1);
  }
  if (process.argv.includes(KEEPER)) {
    const status = await play(true);
    process.send?.(status);
    process.disconnect();
    setInterval(() => {}, 2 ** 30); // until a signal ends it
  } else if (process.env['KEEP']) {
    playInBackground();
  } else {
    process.exit(await play(false));
  }
}

main().catch((error: Error) => {
  console.error(`\nThe demo could not go on: ${error.message}`);
  process.exit(1);
});
