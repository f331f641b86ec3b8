// A flow file's twins: the same cases over another protocol, or in the other address family. Pure: a file goes in, a file comes out,
// whose units have the twin's name after their id: TestNodePorts-iptables#c01s1f01~udp.
import { addressSwap } from './address-swap.ts';
import type { Flow, FlowCase, FlowFile, KubeObject, Step } from './flow-file.ts';

type Protocol = Flow['protocol'];

const mapValues = (value: unknown, leaf: (text: string) => string): unknown => {
  if (typeof value === 'string') return leaf(value);
  if (Array.isArray(value)) return value.map((one) => mapValues(one, leaf));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mapValues(one, leaf)]));
};

function rename(file: FlowFile, name: string): FlowFile {
  const flow = (one: Flow): Flow => ({ ...one, id: `${one.id}~${name}` });
  const step = (one: Step): Step => ({ ...one, flows: one.flows.map(flow) });
  const flowCase = (one: FlowCase): FlowCase => ({ ...one, id: `${one.id}~${name}`, steps: one.steps.map(step) });
  return { ...file, cases: file.cases.map(flowCase) };
}

/**
 * TCP becomes the other protocol, and that becomes TCP: a Service may have one port number for both, and swapping keeps them apart.
 * The third protocol stays.
 */
function swapProtocol(file: FlowFile, other: Protocol): FlowFile {
  const swap = (protocol: Protocol = 'TCP'): Protocol => (protocol === 'TCP' ? other : protocol === other ? 'TCP' : protocol);
  const swapPorts = (ports: unknown): unknown =>
    Array.isArray(ports) ? ports.map((port: { protocol?: Protocol }) => ({ ...port, protocol: swap(port.protocol) })) : ports;
  const object = (one: KubeObject): KubeObject => {
    const spec = one['spec'] as { ports?: unknown } | undefined;
    if (one.kind === 'Service' && spec?.ports) return { ...one, spec: { ...spec, ports: swapPorts(spec.ports) } };
    return one.kind === 'EndpointSlice' && one['ports'] ? { ...one, ports: swapPorts(one['ports']) } : one;
  };
  const step = (one: Step): Step => ({
    ...one,
    ...(one.apply && { apply: one.apply.map(object) }),
    flows: one.flows.map((flow) => ({ ...flow, protocol: swap(flow.protocol) })),
  });
  return { ...file, cases: file.cases.map((one) => ({ ...one, steps: one.steps.map(step) })) };
}

/** Both families at once, so a dual-stack node stays one, with the other family first. */
function swapFamily(file: FlowFile): FlowFile {
  const texts: string[] = [];
  mapValues(file, (text) => {
    texts.push(text);
    return text;
  });
  const swapAddress = addressSwap(texts);
  const NAMES: Readonly<Record<string, string>> = { IPv4: 'IPv6', IPv6: 'IPv4' }; // addressType, ipFamily, ipFamilies
  return mapValues(file, (text) => NAMES[text] ?? swapAddress(text)) as FlowFile;
}

const TWINS = {
  udp: (file: FlowFile) => swapProtocol(file, 'UDP'),
  sctp: (file: FlowFile) => swapProtocol(file, 'SCTP'),
  family: swapFamily,
  'family~udp': (file: FlowFile) => swapProtocol(swapFamily(file), 'UDP'),
  'family~sctp': (file: FlowFile) => swapProtocol(swapFamily(file), 'SCTP'),
};
export type TwinName = keyof typeof TWINS;
export const TWIN_NAMES = Object.keys(TWINS) as TwinName[];

export const twinOf = (file: FlowFile, name: TwinName): FlowFile => rename(TWINS[name](file), name);

/** Cases with one place have one configuration and the same addresses: twins that differ in protocol only. */
export const placeOf = (caseId: string): string => caseId.replace(/~(udp|sctp)$/, '');

/** Names in a list as users give it: none, all, or some with commas between. Throws naming what there is. */
export function parseTwins(text: string): TwinName[] {
  if (text === 'none') return [];
  if (text === 'all') return TWIN_NAMES;
  return text.split(',').map((name) => {
    const known = TWIN_NAMES.find((one) => one === name.trim());
    if (!known) throw new Error(`TWINS=${text}: there is none, all, or some of ${TWIN_NAMES.join(',')}`);
    return known;
  });
}
