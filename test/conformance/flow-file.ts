// Flow files as they are in cases/ (schema.json), and how to find them.
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface CaseConfig {
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly nodeIPs: readonly string[];
  readonly interfaces: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  readonly clusterCIDR?: string;
  readonly detectLocal?: { readonly mode: string; readonly cidr?: string };
  readonly masqueradeAll?: boolean;
  readonly masqueradeBit?: number;
  readonly nodePortAddresses?: readonly string[];
  readonly localhostNodePorts?: boolean;
  readonly serviceCIDRs?: readonly string[];
  readonly profiles?: Readonly<Record<string, Partial<CaseConfig>>>;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
}

export interface Flow {
  readonly id: string;
  readonly name: string;
  readonly from: string;
  readonly origin: 'pod' | 'node' | 'loopback' | 'external';
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly to: string;
  readonly port: number;
  readonly profiles?: readonly string[];
  readonly expect: {
    readonly verdict: 'dnat' | 'reject' | 'drop' | 'accept' | 'pass';
    readonly endpoints: readonly string[];
    readonly masquerade: boolean;
  };
}

export interface Step {
  readonly apply?: readonly KubeObject[];
  readonly delete?: readonly { readonly kind: string; readonly namespace?: string; readonly name: string }[];
  readonly restart?: boolean;
  readonly flows: readonly Flow[];
}

export interface FlowCase {
  readonly id: string;
  readonly name: string;
  readonly config?: CaseConfig;
  readonly profiles?: readonly string[];
  readonly obsolete?: boolean;
  readonly steps: readonly Step[];
}

export interface FlowFile {
  readonly name: string;
  readonly kind: 'flows' | 'table' | 'sequence';
  readonly config?: CaseConfig;
  readonly profiles?: readonly string[];
  readonly cases: readonly FlowCase[];
}

/** The flow files of a folder, or of its sub-folder cases/. Throws naming the file that cannot be read. */
export function readFlowFiles(folder: string): FlowFile[] {
  const paths = ['*.json', 'cases/*.json'].flatMap((pattern) => globSync(join(folder, pattern))).sort();
  const files = paths.map((path) => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as FlowFile;
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`);
    }
  });
  const flowFiles = files.filter(({ kind, cases }) => kind === 'flows' && Array.isArray(cases));
  if (flowFiles.length === 0) throw new Error(`no flow files (kind "flows") in ${folder} or ${basename(folder)}/cases`);
  return flowFiles;
}
