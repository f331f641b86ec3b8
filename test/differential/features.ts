// What takes part in a run: FEATURES=-affinity,+sctp leaves kinds out.

const DEFAULTS = {
  sctp: true,
  udp: true,
  ipv6: true,
  affinity: true,
  'source-ranges': true,
  'external-ips': true,
  'load-balancers': true,
  'node-ports': true,
  'internal-local': true, // internalTrafficPolicy Local
  'external-local': true, // externalTrafficPolicy Local
  terminating: true,
  hints: true, // of zones and nodes, and the node's zone
  'host-endpoints': true, // the node's own address as an endpoint
  labels: true, // service-proxy-name comes and goes
  'undefined-port': true, // a port that the ClusterIP does not have
  unallocated: true, // an address of the ServiceCIDR that no Service has
  loopback: true, // node ports on 127.0.0.1 and ::1
  host: true, // connections of the node's own processes
  bound: true, // sockets of the node that are bound to an address
  held: true, // connections kept over changes
} as const;

export type Feature = keyof typeof DEFAULTS;
export type Features = ReadonlySet<Feature>;

/** text: comma-separated names with + or -; throws with the names there are. */
export function parseFeatures(text: string): Features {
  const features = new Set(Object.entries(DEFAULTS).flatMap(([name, isOn]) => (isOn ? [name as Feature] : [])));
  for (const word of text.split(',').map((one) => one.trim())) {
    if (word === '') continue;
    const name = word.slice(1) as Feature;
    if (!/^[+-]/.test(word) || !(name in DEFAULTS)) {
      throw new Error(`FEATURES: ${word} is not + or - and one of ${Object.keys(DEFAULTS).join(', ')}`);
    }
    if (word.startsWith('+')) features.add(name);
    else features.delete(name);
  }
  return features;
}
