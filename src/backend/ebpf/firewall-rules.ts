// Rules of netfilter as other tools print them, one value for each. Pure: lines in, rules out.

export interface FirewallRule {
  /** 'iptables filter FORWARD', 'nft inet filter input' */
  readonly place: string;
  readonly table: string;
  readonly chain: string;
  /** What packets reach the chain by: 'input', 'forward', ...; '' : other chains jump to it. */
  readonly hook: string;
  readonly text: string;
}

type LineReader = (line: string) => FirewallRule | null;

const BUILT_IN = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);

/** Takes the lines of iptables-save and ip6tables-save in order. `command` is how the place begins: 'iptables', 'ip6tables-legacy'. */
export function iptablesReader(command: string): LineReader {
  let table = '';
  return (line) => {
    if (line.startsWith('*')) table = line.slice(1).trim();
    const rule = /^-A (\S+) (.*)$/.exec(line);
    if (!rule) return null;
    const [, chain = '', text = ''] = rule;
    return { place: `${command} ${table} ${chain}`, table, chain, hook: BUILT_IN.has(chain) ? chain.toLowerCase() : '', text };
  };
}

/** Takes the lines of `nft list ruleset` in order. Tables that iptables-nft manages are left out: iptables-save has them. */
export function nftReader(): LineReader {
  let [table, chain, hook] = ['', '', ''];
  let isForeign = false; // the table that comes, or is read, is iptables-nft's
  return (raw) => {
    const line = raw.trim();
    if (line.startsWith('# Warning: table ')) {
      isForeign = line.includes('managed by iptables-nft');
      return null;
    }
    const opened = /^table (.+?) \{$/.exec(line);
    if (opened) {
      table = opened[1] ?? '';
      return null;
    }
    if (raw.startsWith('}')) {
      isForeign = false;
      return null;
    }
    const entered = /^(chain|set|map|flowtable|counter|quota|limit) (.+?) \{$/.exec(line);
    if (entered) {
      chain = entered[1] === 'chain' ? (entered[2] ?? '') : '';
      hook = '';
      return null;
    }
    if (line === '}') chain = '';
    hook = /^type \S+ hook (\S+)/.exec(line)?.[1] ?? hook;
    const isRule = chain !== '' && line !== '' && !/^(type |policy |comment |#)/.test(line);
    return isRule && !isForeign ? { place: `nft ${table} ${chain}`, table, chain, hook, text: line } : null;
  };
}

/** The ports a rule asks for as destination, as ranges. */
export function destinationPorts({ text }: FirewallRule): { first: number; last: number }[] {
  const found: { first: number; last: number }[] = [];
  for (const [, list = ''] of text.matchAll(/\bdports? (?:!= )?(\{[^}]*\}|\S+)/g)) {
    for (const [, first = '', last] of list.matchAll(/(\d+)(?:[-:](\d+))?/g)) {
      found.push({ first: Number(first), last: Number(last ?? first) });
    }
  }
  return found;
}
