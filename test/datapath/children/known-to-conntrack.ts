// In a network namespace of its own: flows that only netfilter's conntrack knows. Prints what became of one packet each.
import { execFileSync } from 'node:child_process';
import { loadConntrack } from '../../../src/backend/ebpf/conntrack-sysctls.ts';
import { CLIENT_PORT, NODE_PORT, PORT, portsOf, segment, servicePort, TARGET_PORT, TRACKED } from '../cluster.ts';
import { Datapath } from '../datapath.ts';
import { readPacket } from '../packet/read-packet.ts';

const OWN_PORT = 15000; // of the SNAT range

interface Flow {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** Of UDP a flow with replies, unless said otherwise. */
function remember(protocol: string, { source, sourcePort, destination, destinationPort }: Flow, status = 'SEEN_REPLY'): void {
  const tuple = ['-s', source, '-d', destination, '--sport', String(sourcePort), '--dport', String(destinationPort)];
  const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : status ? ['-u', status] : [];
  execFileSync('conntrack', ['-I', '-p', protocol, '-t', '120', ...tuple, ...state], { stdio: 'pipe' });
}

loadConntrack(); // as turnout does: programs that are loaded before it never find its calls
const datapath = await Datapath.load();
const outcomes = TRACKED.map(({ addresses, transport, title }) => {
  datapath.program(servicePort(addresses, transport));
  const { client, clusterIP, node, endpoint } = addresses;
  const flows = {
    toClusterIP: { source: client, sourcePort: CLIENT_PORT, destination: clusterIP, destinationPort: PORT },
    toNodePort: { source: client, sourcePort: CLIENT_PORT, destination: node, destinationPort: NODE_PORT },
    toSnatRange: { source: client, sourcePort: CLIENT_PORT, destination: node, destinationPort: OWN_PORT },
  };
  /** Of a packet that begins nothing, before and after conntrack knows its flow. */
  const verdicts = Object.entries(flows).map(([name, flow]) => {
    const packet = segment(transport, { ...flow, flags: 'A' });
    // UDP to a frontend begins a flow, which is not wanted before.
    const before = transport === 'UDP' && name !== 'toSnatRange' ? '' : datapath.ingress(packet).verdict;
    remember(transport.toLowerCase(), flow);
    const after = datapath.ingress(packet);
    const isUnchanged = Buffer.compare(after.packet, datapath.egress(packet).packet) === 0;
    return [name, [before, after.verdict, isUnchanged ? 'unchanged' : 'translated']];
  });
  // Its datagrams came before the Service did.
  const early = { ...flows.toNodePort, sourcePort: CLIENT_PORT + 1 };
  if (transport === 'UDP') remember('udp', early, '');
  const toNodePortUnanswered = readPacket(datapath.ingress(segment(transport, early)).packet).ip.destination === endpoint;
  // A masqueraded flow asks for the port that netfilter has given to another one.
  remember(transport.toLowerCase(), {
    source: node,
    sourcePort: OWN_PORT + 1,
    destination: endpoint,
    destinationPort: TARGET_PORT,
  });
  const asked = segment(transport, {
    ...{ source: client, destination: addresses.externalIP, sourcePort: OWN_PORT + 1, destinationPort: PORT },
  });
  const arrived = datapath.ingress(asked);
  const { sourcePort } = portsOf(readPacket(datapath.egress(arrived.packet, arrived.mark).packet));
  return { title, ...Object.fromEntries(verdicts), toNodePortUnanswered, takesOtherPort: sourcePort !== OWN_PORT + 1 };
});
datapath.close();
console.log(JSON.stringify(outcomes));
