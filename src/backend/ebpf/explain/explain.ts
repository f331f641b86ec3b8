// `turnout explain`: what becomes of a connection, found by sending its first packet through the programs in force, in private.
import type {
  ExplainedService,
  ExplainQuestion,
  ExplainReport,
  PacketAnswer,
  SocketAnswer,
} from '../../../cli/explain-report.ts';
import { addressOctets, addressText, endpointText } from '../../../datapath/address.ts';
import {
  Direction,
  type FlowState,
  type Frontend,
  LB_AFFINITY_KEY_SIZE,
  readAffinity,
  writeAffinityKey,
} from '../../../datapath/layout.gen.ts';
import { TurnoutError } from '../../../errors.ts';
import { monotonicNs } from '../../../native/system.ts';
import type { EndpointFact } from '../../../state/endpoint-facts.ts';
import type { PortKey } from '../../../state/endpoints.ts';
import { ipFamilyOf } from '../../../state/ip.ts';
import { openTables, type PinnedTables, requireFolder } from '../pinned-tables.ts';
import { PROTOCOL_NUMBERS } from '../rows.ts';
import { ServiceTables } from '../service-tables.ts';
import { candidatesOf, listOf } from './candidates.ts';
import { type Client, clientOf, type HookedDevice } from './client.ts';
import { FlowCopy, flowKeyBytes, flowsOf } from './flow-copy.ts';
import { type Match, matchOf, ruleText, serviceOf } from './matched-rule.ts';
import { packetAnswer, unseenAnswer } from './packet-answer.ts';
import { PacketPath } from './packet-path.ts';
import { PrivateDatapath, SHARED_TABLES } from './private-datapath.ts';
import { numberOf, type RunningPrograms, readRunningPrograms } from './running-programs.ts';
import { askSocket, socketAnswer, socketBackend, whyNoSocketPath } from './socket-path.ts';

/** A packet of a new connection comes from a port that has no flow: the first such one from here on. */
const FIRST_SOURCE_PORT = 50000;
const RUNS_PER_CANDIDATE = 64;
const MOST_RUNS = 1024;
const FLOWS_SHOWN = 4;

/** Every endpoint of a Service port, by the word of the running process; null when there is none to ask. */
export type AskEndpoints = (question: PortKey & { readonly service: string }) => Promise<readonly EndpointFact[] | null>;

export async function explain(question: ExplainQuestion, bpffsRoot: string, askEndpoints: AskEndpoints): Promise<ExplainReport> {
  if (question.source !== 'node' && ipFamilyOf(question.source) !== ipFamilyOf(question.destination)) {
    throw new TurnoutError('EFAMILY', `${question.source} and ${question.destination} are of different families`, {
      hint: 'a packet has two addresses of one family',
    });
  }
  const folder = requireFolder(bpffsRoot);
  const tables = openTables(folder, [
    ...SHARED_TABLES,
    'devices',
    'flows',
    'flow_states',
    'affinity',
    'service_stats',
    'backend_stats',
  ]);
  try {
    const running = readRunningPrograms(folder);
    const client = await clientOf(question, { tables, variables: running.variables });
    const datapath = await PrivateDatapath.load(folder, running);
    try {
      return await new Explanation({ question, tables, running, client, datapath, askEndpoints }).report();
    } finally {
      datapath.close();
    }
  } finally {
    tables.close();
  }
}

interface ExplanationOptions {
  readonly question: ExplainQuestion;
  readonly tables: PinnedTables;
  readonly running: RunningPrograms;
  readonly client: Client;
  readonly datapath: PrivateDatapath;
  readonly askEndpoints: AskEndpoints;
}

class Explanation {
  readonly #options: ExplanationOptions;
  readonly #match: Match;
  readonly #copy: FlowCopy;
  readonly #affinityKeys: readonly Uint8Array[];

  constructor(options: ExplanationOptions) {
    const { tables, datapath, question, client } = options;
    this.#options = options;
    this.#match = matchOf(tables, question);
    this.#copy = new FlowCopy(
      { flows: tables.map('flows'), flowStates: tables.map('flow_states') },
      { flows: datapath.map('flows'), flowStates: datapath.map('flow_states') },
    );
    this.#affinityKeys = this.#match.frontend ? affinityKeys(this.#match.frontend, client) : [];
  }

  async report(): Promise<ExplainReport> {
    const { question: asked, tables, client, running } = this.#options;
    const question = { ...asked, sourcePort: asked.sourcePort || this.#freePort() };
    const { frontend } = this.#match;
    const service = frontend ? serviceOf(tables, frontend) : null;
    const existing = asked.sourcePort !== 0 && client.source !== '' ? this.#copy.take(this.#flowKey(question)) : null;
    const path = client.entry ? this.#packetPath(question, { ...client, entry: client.entry }) : null;
    const run = path ? await path.run() : null;
    const context = { client, service, match: this.#match, variables: running.variables };
    const packet = run ? packetAnswer(run, context) : unseenAnswer(client.unseen);
    const isEnded = existing !== null && this.#copy.hasEnded(existing);
    const services = ServiceTables.of(tables);
    const list = frontend && service ? frontend[listOf(service, client.kind)] : { base: 0, count: 0 };
    const endpoints = Array.from({ length: list.count }, (_, i) => addressText(services.readBackend(list.base + i).address));
    const socket = this.#socket(question, { service, endpoints });
    const pick = socket.outcome === 'translated' || !path ? () => this.#pickBySocket(question) : () => path.destination();
    const sampled = sample(pick, existing !== null && !isEnded ? 0 : list.count);
    const known = service ? await this.#knownEndpoints(service) : null;
    return {
      question: asked,
      client: { kind: client.kind, text: client.text },
      service,
      rule: ruleText(question, this.#match, service),
      socket,
      packet,
      candidates: frontend && service ? candidatesOf(services, frontend, service, client.kind, { ...sampled, known }) : null,
      affinity: this.#affinityText(packet.backend || socket.backend),
      flow: this.#flowText(asked, existing, isEnded),
      notes: [...client.notes, ...hairpinNotes(endpoints, client, packet)],
    };
  }

  #knownEndpoints({ namespace, name, portName }: ExplainedService): Promise<readonly EndpointFact[] | null> {
    const { destination, protocol } = this.#options.question;
    return this.#options.askEndpoints({ service: `${namespace}/${name}`, portName, protocol, ipFamily: ipFamilyOf(destination) });
  }

  /** Nothing of a former run, and all of what is in force that concerns this packet. */
  #restore(): void {
    const { datapath, tables } = this.#options;
    datapath.forget();
    this.#copy.restore();
    for (const key of this.#affinityKeys) {
      const row = tables.map('affinity').get(key);
      if (row) datapath.map('affinity').set(key, row);
    }
  }

  #packetPath(question: ExplainQuestion, client: Client & { readonly entry: HookedDevice }): PacketPath {
    const { datapath, tables, running } = this.#options;
    const mark = numberOf(running.variables, 'cfg_masquerade_mark');
    return new PacketPath({ datapath, tables, question, client, mark, copy: this.#copy, restore: () => this.#restore() });
  }

  #socket(question: ExplainQuestion, more: Pick<Parameters<typeof socketAnswer>[1], 'service' | 'endpoints'>): SocketAnswer {
    const { client, running, datapath } = this.#options;
    const text = whyNoSocketPath(question, client, running, more.service !== null);
    if (text !== '') return { outcome: 'none', backend: '', text };
    this.#restore();
    return socketAnswer(askSocket(datapath, question, client), { client, running, ...more });
  }

  #pickBySocket(question: ExplainQuestion): string {
    this.#restore();
    return socketBackend(askSocket(this.#options.datapath, question, this.#options.client));
  }

  /** As tc_ingress sees it; of the node's own packets the alias is not known here, so their flows are found by no key. */
  #flowKey({ destination, port, protocol, sourcePort }: ExplainQuestion): Uint8Array {
    return flowKeyBytes({
      source: addressOctets(this.#options.client.source),
      destination: addressOctets(destination),
      sourcePort,
      destinationPort: port,
      protocol: PROTOCOL_NUMBERS[protocol] ?? 0,
      direction: Direction.LB_IN,
    });
  }

  #freePort(): number {
    const { client, question, tables } = this.#options;
    let sourcePort = FIRST_SOURCE_PORT;
    if (client.source === '') return sourcePort;
    while (sourcePort < 65535 && tables.map('flows').get(this.#flowKey({ ...question, sourcePort }))) sourcePort++;
    return sourcePort;
  }

  #flowText(asked: ExplainQuestion, existing: FlowState | null, isEnded: boolean): string {
    if (existing) {
      const backend = endpointText({ address: existing.backend, port: existing.backendPort });
      if (isEnded)
        return `The flow of port ${asked.sourcePort} to ${backend} is over, or its endpoint has left: this packet begins another.`;
      return `Port ${asked.sourcePort} has a flow already, and the packet belongs to it: to ${backend}, whatever is chosen for others.`;
    }
    const { client, tables } = this.#options;
    if (asked.sourcePort !== 0) return `Port ${asked.sourcePort} has no flow: the packet begins one.`;
    if (client.source === '') return '';
    const wanted = { client: addressOctets(client.source), frontend: addressOctets(asked.destination), frontendPort: asked.port };
    const flows = flowsOf(
      tables.map('flow_states'),
      { ...wanted, protocol: PROTOCOL_NUMBERS[asked.protocol] ?? 0 },
      FLOWS_SHOWN + 1,
    );
    if (flows.length === 0) return '';
    const shown = flows
      .slice(0, FLOWS_SHOWN)
      .map((flow) => `port ${flow.clientPort} to ${endpointText({ address: flow.backend, port: flow.backendPort })}`);
    const more = flows.length > FLOWS_SHOWN ? ', and more' : '';
    return `Flows that exist keep their endpoint: ${shown.join(', ')}${more} (--source-port asks about one).`;
  }

  #affinityText(backend: string): string {
    const seconds = this.#match.frontend?.affinitySeconds ?? 0;
    if (seconds === 0) return '';
    for (const key of this.#affinityKeys) {
      const row = this.#options.tables.map('affinity').get(key);
      if (!row) continue;
      const { lastUsedNs, backend: known } = readAffinity(row);
      const ageSeconds = Number((monotonicNs() - lastUsedNs) / 1_000_000_000n);
      const last = `The client was given ${endpointText(known)} ${ageSeconds} s ago`;
      if (endpointText(known) === backend) return `${last} and stays with it for ${seconds} s (sessionAffinity ClientIP).`;
      return `${last}, but that is longer ago than ${seconds} s, or not one of the candidates now: it is chosen anew.`;
    }
    return `The client is new: it is given an endpoint and stays with it for ${seconds} s (sessionAffinity ClientIP).`;
  }
}

/** The answer is about one endpoint; a pod that is one of several is masqueraded only when it is given itself. */
function hairpinNotes(
  endpoints: readonly string[],
  { source }: Client,
  { outcome, backend, isMasqueraded }: PacketAnswer,
): string[] {
  if (outcome !== 'translated' || !endpoints.includes(source) || endpoints.length < 2) return [];
  return isMasqueraded
    ? [`It is masqueraded because it was given itself, ${backend}; given another it may not be.`]
    : ['Where it is given itself, it is masqueraded.'];
}

/** Affinity knows a client by its address; a process of the node that is not bound to one by none. */
function affinityKeys({ serviceId }: Frontend, { source, kind }: Client): Uint8Array[] {
  const clients = [...(source === '' ? [] : [addressOctets(source)]), ...(kind === 'node' ? [new Uint8Array(16)] : [])];
  return clients.map((client) => {
    const key = new Uint8Array(LB_AFFINITY_KEY_SIZE);
    writeAffinityKey(key, 0, { serviceId, client });
    return key;
  });
}

/** How often each endpoint is chosen. No runs where nothing is to choose from. */
function sample(pick: () => string, candidates: number): { chosen: Map<string, number>; runs: number } {
  const runs = Math.min(RUNS_PER_CANDIDATE * candidates, MOST_RUNS);
  const chosen = new Map<string, number>();
  for (let i = 0; i < runs; i++) {
    const endpoint = pick();
    chosen.set(endpoint, (chosen.get(endpoint) ?? 0) + 1);
  }
  return { chosen, runs };
}
