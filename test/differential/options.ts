// What `make test-differential` was asked for.
import { type Features, parseFeatures } from './features.ts';
import { REFERENCE_MODES, type ReferenceMode } from './world.ts';

export interface Options {
  readonly mode: ReferenceMode; // of kube-proxy
  readonly rounds: number;
  readonly seed: number;
  readonly only: number; // the round that probes; the ones before only change; 0: all probe
  readonly socketPath: string;
  readonly features: Features;
  readonly turnoutFlags: readonly string[];
}

/** MODE is Turnout's; mode ebpf is measured against kube-proxy's nftables, the fallback modes against their namesakes. */
const REFERENCES: Readonly<Record<string, ReferenceMode>> = { ebpf: 'nftables' };

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (!text) return otherwise;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name}=${text} is not a whole number`);
  return Number(text);
}

/** Throws when a variable makes no sense. */
export function readOptions(env: Readonly<Record<string, string | undefined>>, randomSeed: number): Options {
  const turnoutMode = env['MODE'] || 'ebpf';
  const mode = (env['REFERENCE'] || REFERENCES[turnoutMode]) as ReferenceMode | undefined;
  if (!mode || !(turnoutMode in REFERENCES)) throw new Error(`MODE=${turnoutMode} is not built yet; there is MODE=ebpf`);
  if (!REFERENCE_MODES.includes(mode)) throw new Error(`REFERENCE=${mode} is none of ${REFERENCE_MODES.join(', ')}`);
  const socketPath = env['SOCKET_PATH'] || 'tcp';
  if (!['tcp', 'all', 'off'].includes(socketPath)) throw new Error(`SOCKET_PATH=${socketPath} is none of tcp, all, off`);
  return {
    mode,
    rounds: wholeNumber('ROUNDS', env['ROUNDS'], 200),
    seed: wholeNumber('SEED', env['SEED'], randomSeed),
    only: wholeNumber('ONLY', env['ONLY'], 0),
    socketPath,
    features: parseFeatures(env['FEATURES'] ?? ''),
    turnoutFlags: (env['TURNOUT_FLAGS'] ?? '').split(' ').filter(Boolean),
  };
}

/** The command that does a round again: earlier rounds change the objects and ask nothing. */
export function replayCommand(
  { seed, rounds, socketPath }: Options,
  env: Readonly<Record<string, string | undefined>>,
  only: number,
): string {
  const rest = ['MODE', 'REFERENCE', 'FEATURES', 'TURNOUT_FLAGS'].flatMap((name) =>
    env[name] ? [`${name}='${env[name]}'`] : [],
  );
  return `make test-differential SEED=${seed} ROUNDS=${Math.min(rounds, only || rounds)} ONLY=${only} SOCKET_PATH=${socketPath} ${rest.join(' ')}`.trim();
}
