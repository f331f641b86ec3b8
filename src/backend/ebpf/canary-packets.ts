// A datagram of our own through the host's port, there and back, proves by doing that all four packet programs of that port work:
//   socket -> turnout0 egress (alias for the source) -> turnout1 ingress (the Service's address for the endpoint's) -> listener
//   listener -> turnout1 egress (the endpoint's address for the Service's) -> turnout0 ingress (the alias for the source) -> socket
// On other devices the same programs hang; that each hangs there is compared, not proven.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { addressOctets } from '../../datapath/address.ts';
import { LB_FLOW_STATE_SIZE, readFlowState } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import type { ServicePort } from '../../state/model.ts';
import { CANARY_NAMESPACE, type CanaryProof } from './canary.ts';
import { CANARY_ADDRESS, HOST_END_ADDRESS } from './host-aliases.ts';

const ANSWER_MS = 2000;
const THERE = ['host_egress (turnout0)', 'tc_ingress (turnout1)'];
const BACK = ['tc_egress (turnout1)', 'host_ingress (turnout0)'];

export class PacketCanary {
  readonly #flows: Pick<BpfMap, 'mmap'>;
  #listener: Socket | null = null;
  #sender: Socket | null = null; // one for good, so that all datagrams are one flow
  #port = 0;
  #questions = 0;

  constructor(flows: Pick<BpfMap, 'mmap'>) {
    this.#flows = flows;
  }

  /** False where the port has no address for it: there is no port, or no IPv4. */
  async open(): Promise<boolean> {
    const listener = createSocket('udp4');
    try {
      listener.bind({ address: HOST_END_ADDRESS, port: 0, exclusive: true });
      await once(listener, 'listening');
    } catch {
      listener.close();
      return false;
    }
    listener.on('message', (question, { port, address }) => listener.send(question, port, address));
    this.#sender = createSocket('udp4').bind({ port: 0, exclusive: true });
    await once(this.#sender, 'listening');
    for (const socket of [listener, this.#sender]) socket.on('error', () => {}).unref();
    this.#listener = listener;
    this.#port = listener.address().port;
    return true;
  }

  /** Source ranges, though of everybody, keep connect() and sendmsg() from translating: the packet has to. */
  get units(): ServicePort[] {
    if (!this.#listener) return [];
    const endpoint = { ip: HOST_END_ADDRESS, port: this.#port, isLocal: true, ready: true, serving: true, terminating: false };
    const unit: ServicePort = {
      key: `${CANARY_NAMESPACE}/canary:packets/UDP/IPv4`,
      ...{ namespace: CANARY_NAMESPACE, name: 'canary', portName: 'packets', protocol: 'UDP', ipFamily: 'IPv4' },
      ...{ clusterIP: '', port: this.#port, nodePort: 0, externalIPs: [], loadBalancerVIPs: [CANARY_ADDRESS] },
      ...{ sourceRanges: ['0.0.0.0/0'], internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster' },
      ...{
        sessionAffinitySeconds: 0,
        clusterEndpoints: [endpoint],
        localEndpoints: [],
        lingeringEndpoints: [],
        hasEndpoints: true,
      },
    };
    return [unit];
  }

  async run(): Promise<CanaryProof[]> {
    const sender = this.#sender;
    if (!sender) return [];
    const proven = [...THERE, ...BACK].map((hook) => ({ hook, failure: '' }));
    if ((await this.#ask(sender)) === '') return proven;
    // Once more, to see whether the flow counts it.
    const before = this.#packetsThere(sender.address().port);
    const failure = await this.#ask(sender);
    if (failure === '') return proven;
    if (this.#packetsThere(sender.address().port) === before) return THERE.map((hook) => ({ hook, failure }));
    // There it was translated; an answer may be kept back by others.
    const unproven = `${failure}, though the way there works: a firewall of the node may drop what comes in by turnout1`;
    return [...THERE.map((hook) => ({ hook, failure: '' })), ...BACK.map((hook) => ({ hook, failure: '', unproven }))];
  }

  close(): void {
    this.#listener?.close();
    this.#sender?.close();
    this.#listener = this.#sender = null;
  }

  /** '' or why there was no answer. */
  async #ask(sender: Socket): Promise<string> {
    const question = String(++this.#questions);
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const sent = new Promise<void>((resolve, reject) => {
        sender.send(question, this.#port, CANARY_ADDRESS, (error) => (error ? reject(error) : resolve()));
      });
      for (;;) {
        const [answer, from] = (await Promise.all([once(sender, 'message', { signal }), sent]))[0] as [
          Buffer,
          { address: string },
        ];
        if (answer.toString() !== question) continue; // a late one
        return from.address === CANARY_ADDRESS ? '' : `the answer came from ${from.address}, not from the Service`;
      }
    } catch (error) {
      const { name, message } = error as Error;
      return name === 'AbortError' ? `no answer within ${ANSWER_MS / 1000} s` : message;
    }
  }

  /** Datagrams that were translated on their way there, by the flow's own count. Looks at every row, so only after a failure. */
  #packetsThere(senderPort: number): bigint {
    const rows = this.#flows.mmap();
    const address = addressOctets(CANARY_ADDRESS);
    for (let at = 0; at < rows.length; at += LB_FLOW_STATE_SIZE) {
      if (Buffer.from(rows.buffer, rows.byteOffset + at, LB_FLOW_STATE_SIZE).indexOf(address) < 0) continue;
      const { claim, clientPort, frontendPort, requestPackets } = readFlowState(rows, at);
      if (claim !== 0 && clientPort === senderPort && frontendPort === this.#port) return requestPackets;
    }
    return 0n;
  }
}
