// Both ends of an SCTP flow to the Service of cluster.ts.
import type { ServicePort } from '../../src/state/model.ts';
import { type Addresses, CLIENT_PORT, PORT, servicePort, TARGET_PORT } from './cluster.ts';
import { type Headers, type Packet, type Sctp, sctp } from './packet/packet.ts';

type Fields = Partial<Sctp> & Partial<Headers>;

export const toService = (addresses: Addresses, fields: Fields = {}): Packet =>
  sctp({
    ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
    ...fields,
  });
export const fromEndpoint = (addresses: Addresses, fields: Fields = {}): Packet =>
  sctp({
    ...{ source: addresses.endpoint, destination: addresses.client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT },
    ...fields,
  });
export const service = (addresses: Addresses, over: Partial<ServicePort> = {}): ServicePort =>
  servicePort(addresses, 'SCTP', over);
