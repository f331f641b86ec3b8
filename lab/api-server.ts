// A real control plane on a machine of its own beside the nodes of a cluster: etcd, kube-apiserver, and of the controllers those that
// make and remove EndpointSlices. All ports are in the namespace of that machine, all data is in memory and goes with the lab.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority } from './certificates.ts';
import type { Cluster } from './cluster.ts';
import { Daemon } from './daemon.ts';
import { KubeClient } from './kube-client.ts';
import type { Namespace } from './namespace.ts';
import { isIpv6 } from './pod-network.ts';
import { run } from './shell.ts';

const PORT = 6443;
const ADDRESSES = { ipv4: '192.168.50.2', ipv6: 'fd50::2' };
const ETCD = 'http://127.0.0.1:2379';
const SERVICE_CIDRS = '10.96.0.0/16,fd00:10:96::/108';
const NODE_PORTS = '30000-32767';

export class ApiServer {
  /** As nodes reach it. */
  readonly url = `https://${ADDRESSES.ipv4}:${PORT}`;
  /** As a cluster administrator, from the process that runs the test. */
  readonly client: KubeClient;
  readonly #namespace: Namespace;
  readonly #folder: string;
  readonly #etcdFolder: string;
  readonly #authority: Authority;
  readonly #binaries: string;
  readonly #etcd: Daemon;
  readonly #server: Daemon;
  readonly #controllers: Daemon;
  readonly #forward: Daemon;

  constructor(cluster: Cluster) {
    const { lab } = cluster;
    this.#binaries = run(join(import.meta.dirname, '../scripts/kube/build.sh'), '--print-folder').trim();
    if (!existsSync(this.#binaries))
      throw new Error(`no API server in ${this.#binaries}: type make test-cluster, which builds it`);
    this.#namespace = cluster.addMachine('control', ADDRESSES.ipv4, ADDRESSES.ipv6, lab.cgroup('control'));
    for (const { podCIDRs, ipv4, ipv6 } of cluster.nodes) {
      for (const cidr of podCIDRs) this.#namespace.ip(`route add ${cidr} via ${isIpv6(cidr) ? ipv6 : ipv4}`);
    }
    this.#folder = join(lab.folder, 'control');
    mkdirSync(this.#folder);
    this.#etcdFolder = lab.tmpfs('etcd');
    this.#authority = new Authority(this.#folder);
    const daemon = (name: string): Daemon => new Daemon(lab, this.#namespace, name);
    [this.#etcd, this.#forward, this.#server] = [daemon('etcd'), daemon('unix-forward'), daemon('kube-apiserver')];
    this.#controllers = daemon('kube-controller-manager');
    this.client = new KubeClient({
      socketPath: join(this.#folder, 'socket'),
      authority: this.#authority.certificate,
      ...this.#authority.user('admin', 'system:masters'),
    });
  }

  /** The path of the certificate that vouches for the server's. */
  get authority(): string {
    return this.#authority.certificate;
  }

  /** The path of a kubeconfig for this user. The API server's own roles give system:kube-proxy what kube-proxy may do. */
  kubeconfig(user = 'system:kube-proxy', group = ''): string {
    return this.#write(`${user.replaceAll(':', '-')}.kubeconfig`, this.url, user, group);
  }

  #write(file: string, server: string, user: string, group: string): string {
    const path = join(this.#folder, file);
    writeFileSync(path, this.#authority.kubeconfig(server, this.#authority.user(user, group)), { mode: 0o600 });
    return path;
  }

  /** Everything. flags: more of kube-apiserver. */
  async start(flags: readonly string[] = []): Promise<void> {
    const socket = join(this.#folder, 'socket');
    const forward = [join(import.meta.dirname, 'unix-forward.ts'), socket, String(PORT)];
    await Promise.all([
      this.#etcd.start(
        'etcd',
        ['--data-dir', this.#etcdFolder, '--unsafe-no-fsync', '--log-level=warn', '--auto-compaction-retention=0'],
        () => this.#namespace.succeeds('etcdctl', 'endpoint', 'health'),
      ),
      this.#forward.start(process.execPath, forward, () => existsSync(socket)),
    ]);
    await this.startServer(flags);
    const kubeconfig = this.#write('controllers.kubeconfig', `https://127.0.0.1:${PORT}`, 'controllers', 'system:masters');
    const kinds = ['endpointslice', 'endpointslice-mirroring', 'garbage-collector']; // the last one: slices go after their Service
    const controllers = kinds.map((kind) => `${kind}-controller`);
    await this.#controllers.start(
      join(this.#binaries, 'kube-controller-manager'),
      [
        ...[`--kubeconfig=${kubeconfig}`, `--controllers=${controllers}`, '--leader-elect=false'],
        ...['--kube-api-qps=500', '--kube-api-burst=1000', '--bind-address=127.0.0.1', `--cert-dir=${this.#folder}/controllers`],
      ],
      () => this.#namespace.run('ss', '-Hltn', 'sport = :10257') !== '',
    );
  }

  /** kube-apiserver alone, with the data that etcd has. Ready: it answers, and its cluster IPs can be given out. */
  async startServer(flags: readonly string[] = []): Promise<void> {
    const { certificate, key } = this.#authority.server('kube-apiserver', [
      ...['localhost', 'kubernetes.default.svc', '127.0.0.1', '10.96.0.1'],
      ...Object.values(ADDRESSES),
    ]);
    const accounts = this.#authority.server('service-accounts', ['localhost']).key;
    await this.#server.start(
      join(this.#binaries, 'kube-apiserver'),
      [
        ...[`--etcd-servers=${ETCD}`, '--etcd-compaction-interval=0'],
        ...[`--secure-port=${PORT}`, `--advertise-address=${ADDRESSES.ipv4}`, `--cert-dir=${this.#folder}/server`],
        ...[`--tls-cert-file=${certificate}`, `--tls-private-key-file=${key}`, `--client-ca-file=${this.#authority.certificate}`],
        ...[`--service-account-key-file=${accounts}`, `--service-account-signing-key-file=${accounts}`],
        ...['--service-account-issuer=https://kubernetes.default.svc', '--authorization-mode=RBAC'],
        ...[`--service-cluster-ip-range=${SERVICE_CIDRS}`, `--service-node-port-range=${NODE_PORTS}`],
        // Pods are of no account, and there is no need for fairness.
        ...['--disable-admission-plugins=ServiceAccount', '--enable-priority-and-fairness=false', '--shutdown-delay-duration=0s'],
        ...flags,
      ],
      () => this.client.isReady(),
    );
  }

  /** The API server goes away, by SIGKILL as if its machine failed; etcd and what it holds stay. */
  stopServer(): Promise<void> {
    return this.#server.stop('SIGKILL');
  }

  async restartServer(flags: readonly string[] = []): Promise<void> {
    await this.stopServer();
    await this.startServer(flags);
  }

  /** etcd forgets all history: who watches from an earlier version is told 410 Gone. */
  compact(): void {
    const [status] = JSON.parse(this.#namespace.run('etcdctl', 'endpoint', 'status', '-w', 'json')) as {
      Status: { header: { revision: number } };
    }[];
    this.#namespace.run('etcdctl', 'compact', '--physical', String(status?.Status.header.revision));
  }
}
