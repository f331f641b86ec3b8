import { describe, expect, test } from 'vitest';
import { EBPF_OPTIONS } from '../../../src/config/ebpf-options.ts';
import { IGNORED_FIELDS, IGNORED_FLAGS, KUBE_PROXY_OPTIONS } from '../../../src/config/kube-proxy-options.ts';
import type { Option } from '../../../src/config/option.ts';

const OPTIONS: readonly Option<unknown>[] = [...Object.values(KUBE_PROXY_OPTIONS), ...Object.values(EBPF_OPTIONS)];

describe('the option tables', () => {
  test('name each flag and each field once', () => {
    const flags = [...OPTIONS.map(({ flag }) => flag), ...Object.keys(IGNORED_FLAGS)];
    const fields = [...OPTIONS.map(({ field }) => field).filter((field) => field !== ''), ...IGNORED_FIELDS];
    expect(new Set(flags).size).toBe(flags.length);
    expect(new Set(fields).size).toBe(fields.length);
  });

  test.each(OPTIONS.map((option) => [option.flag, option] as const))('explain --%s in a sentence', (_flag, option) => {
    expect(option.help).toMatch(/^[^*].*\.$/s);
    expect(option.help).not.toContain('\n');
  });

  test('give every ebpf field a flag that applies beside --config', () => {
    for (const [name, option] of Object.entries(EBPF_OPTIONS)) {
      // ebpf.socketPath.mode is socketPathMode here.
      const [, ...parts] = option.field.split('.');
      const joined = parts.map((part, index) => (index === 0 ? part : `${part[0]?.toUpperCase()}${part.slice(1)}`)).join('');
      expect(joined).toBe(name);
      expect(option.flag).toMatch(/^ebpf-[a-z-]+$/);
      expect(option.besideConfig).toBe(true);
    }
  });
});
