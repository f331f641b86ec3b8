import { describe, expect, test } from 'vitest';
import { BlindSpots } from '../../../src/backend/ebpf/blind-spot-kinds.ts';
import { lookAtDevices, lookAtMissingTools, lookAtPrograms, lookAtRule } from '../../../src/backend/ebpf/blind-spots.ts';
import { destinationPorts, type FirewallRule, iptablesReader, nftReader } from '../../../src/backend/ebpf/firewall-rules.ts';
import type { NetlinkDevice } from '../../../src/native/addon.ts';

const rulesOf = (reader: (line: string) => FirewallRule | null, text: string): FirewallRule[] =>
  text.split('\n').flatMap((line) => reader(line) ?? []);

/** What the rules of an iptables-save, or of an nft ruleset, are found to be: kind and place. */
function kindsOf(text: string, hasUnseenBridge = false): string[] {
  const spots = new BlindSpots();
  const rules = rulesOf(text.trimStart().startsWith('*') ? iptablesReader('iptables') : nftReader(new Set(['ip nat'])), text);
  for (const rule of rules) lookAtRule(rule, hasUnseenBridge, spots);
  return spots.list().flatMap(({ kind, found }) => found.map((where) => `${kind} ${where.split(':')[0]}`));
}

const device = (values: Partial<NetlinkDevice>): NetlinkDevice => ({
  ...{
    ifindex: 2,
    name: 'eth0',
    kind: '',
    slaveKind: '',
    type: 1,
    mac: '',
    mtu: 1500,
    flags: 0,
    masterIfindex: 0,
    linkIfindex: 0,
  },
  ...values,
});

describe('rules of netfilter', () => {
  test.each([
    ['-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT', 'original_destination iptables filter FORWARD'],
    [
      '-A ufw-before-forward -m conntrack --ctstate RELATED,DNAT -j ACCEPT',
      'original_destination iptables filter ufw-before-forward',
    ],
    ['-A DOCKER-USER -m conntrack --ctorigdst 192.0.2.1/32 -j DROP', 'original_destination iptables filter DOCKER-USER'],
    ['-A DOCKER-USER -p tcp -m conntrack --ctorigdstport 443 -j DROP', 'original_destination iptables filter DOCKER-USER'],
    ['-A INPUT -p tcp -m tcp --dport 30080 -j DROP', 'node_ports_in_input iptables filter INPUT'],
    [
      '-A ufw-user-input -p udp -m multiport --dports 53,30000:30100 -j ACCEPT',
      'node_ports_in_input iptables filter ufw-user-input',
    ],
    [
      '-A PREROUTING -m comment --comment "AWS, primary ENI" -j CONNMARK --set-xmark 0x80/0x80',
      'aws_connmark iptables filter PREROUTING',
    ],
    ['-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -j KUBE-SVC-NPX46M4PTMTKRN6Y', 'kube_proxy iptables filter KUBE-SERVICES'],
  ])('of iptables: %s', (rule, kind) => {
    expect(kindsOf(`*filter\n:INPUT ACCEPT [0:0]\n${rule}\nCOMMIT`)).toEqual([kind]);
  });

  test.each([
    '-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    '-A INPUT -p tcp -m tcp --dport 1024:65535 -j ACCEPT',
    '-A FORWARD -p tcp -m tcp --dport 30080 -j ACCEPT',
    '-A INPUT -p tcp -m tcp --sport 30080 -j ACCEPT',
    '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
    '-A TURNOUT-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ])('are nobody’s concern: %s', (rule) => {
    expect(kindsOf(`*filter\n${rule}\nCOMMIT`)).toEqual([]);
  });

  test('that drop INVALID packets matter where a bridge hides replies from netfilter', () => {
    expect(kindsOf('*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP', true)).toEqual([
      'invalid_drop iptables filter FORWARD',
    ]);
    const vmap = 'table inet f {\n\tchain forward {\n\t\tct state vmap { established : accept, invalid : drop }\n\t}\n}';
    expect(kindsOf(vmap, true)).toEqual(['invalid_drop nft inet f forward']);
  });

  test('of nft are read with table, chain and hook; sets and tables that were read otherwise are passed over', () => {
    const text = `
table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		ct status dnat accept
	}
}
table inet firewalld {
	set nodeports {
		type inet_service
		elements = { 30080 }
	}
	chain filter_IN {
		type filter hook input priority filter + 10; policy accept;
		tcp dport { 22, 30000-32767 } drop
		ct original ip daddr 192.0.2.1 accept
	}
	chain other {
		ct status dnat accept
	}
}
table ip kube-proxy {
	chain services {
		ip daddr . meta l4proto . th dport vmap @service-ips
	}
}`;
    expect(rulesOf(nftReader(new Set(['ip nat'])), text).map(({ place, hook }) => `${place} ${hook}`)).toEqual([
      ...['nft inet firewalld filter_IN input', 'nft inet firewalld filter_IN input', 'nft inet firewalld other '],
      'nft ip kube-proxy services ',
    ]);
    expect(kindsOf(text)).toEqual([
      'kube_proxy nft ip kube-proxy services',
      'node_ports_in_input nft inet firewalld filter_IN',
      'original_destination nft inet firewalld filter_IN',
      'original_destination nft inet firewalld other',
    ]);
  });

  test('name destination ports singly, in ranges and in sets', () => {
    const portsOf = (text: string): string =>
      destinationPorts({ place: '', table: '', chain: '', hook: '', text })
        .map(({ first, last }) => `${first}-${last}`)
        .join();
    expect(portsOf('-p tcp -m multiport --dports 80,100:200')).toBe('80-80,100-200');
    expect(portsOf('th dport != { 53, 30000-30010 } drop')).toBe('53-53,30000-30010');
    expect(portsOf('-p tcp --sport 80')).toBe('');
  });
});

describe('devices', () => {
  test('of pods that bypass the node, devices in a VRF and what IPVS leaves are seen; a plain veth is not', () => {
    const spots = new BlindSpots();
    lookAtDevices(
      [
        device({ name: 'mv0', kind: 'macvlan' }),
        device({ name: 'blue0', slaveKind: 'vrf' }),
        device({ name: 'kube-ipvs0', kind: 'dummy' }),
        device({ name: 'veth1', kind: 'veth' }),
      ],
      spots,
    );
    expect(spots.list().map(({ kind, found }) => [kind, ...found])).toEqual([
      ['child_devices', 'macvlan device mv0'],
      ['kube_proxy', 'device kube-ipvs0'],
      ['vrf', 'blue0'],
    ]);
  });
});

describe('programs', () => {
  test('of others are told with their place before or after ours', () => {
    const spots = new BlindSpots();
    const program = (name: string, programId: number) => ({ name, programId, linkId: 0 });
    lookAtPrograms('eth0', 'ingress', [program('cil_from_netdev', 7), program('tc_ingress', 8), program('watcher', 9)], spots);
    expect(spots.list()).toMatchObject([
      {
        kind: 'foreign_programs',
        found: [
          'eth0 ingress: cil_from_netdev (tcx, program 7, before ours)',
          'eth0 ingress: watcher (tcx, program 9, after ours)',
        ],
      },
    ]);
  });
});

test('a blind spot is told once with a few examples, how often it was seen, and what to do', () => {
  const spots = new BlindSpots();
  for (let i = 0; i < 9; i++) spots.add('vrf', `blue${i}`);
  expect(spots.list()).toMatchObject([{ kind: 'vrf', count: 9, found: ['blue0', 'blue1', 'blue2', 'blue3', 'blue4'] }]);
  for (const { consequence, advice } of spots.list()) expect([consequence, advice]).not.toContain('');
});

describe('a tool that is missing', () => {
  const missing = (...tools: string[]): readonly string[] => {
    const spots = new BlindSpots();
    lookAtMissingTools(new Set(tools), spots);
    return spots.list().flatMap(({ found }) => found);
  };

  test('is told, with what it would have shown', () => {
    expect(missing('tc', 'ip', 'nft')).toEqual([
      'tc programs of others: tc is missing',
      'IPsec policies: ip is missing',
      'rules of netfilter: nft is missing',
    ]);
  });

  test('is none where another one shows the same', () => {
    expect(missing('iptables-nft-save', 'ip6tables-nft-save')).toEqual([]);
    expect(missing('iptables-nft-save', 'nft').length).toBe(2);
  });
});
