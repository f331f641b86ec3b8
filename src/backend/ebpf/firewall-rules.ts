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

/** Takes the lines of `nft list ruleset` in order. `known`: tables that were read otherwise, as 'ip filter'. */
export function nftReader(known: ReadonlySet<string> = new Set()): LineReader {
  let [table, chain, hook] = ['', '', ''];
  return (raw) => {
    const line = raw.trim();
    const opened = /^table (.+?) \{$/.exec(line);
    if (opened) {
      table = opened[1] ?? '';
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
    return isRule && !known.has(table) ? { place: `nft ${table} ${chain}`, table, chain, hook, text: line } : null;
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
