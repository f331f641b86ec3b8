import { describe, expect, test } from 'vitest';
import { CgroupPatterns, cgroupPatternFault } from '../../../src/config/cgroup-pattern.ts';

/** 'match', 'below' (something deeper may match) or 'never' for a path, from the root down. */
function outcome(patterns: readonly string[], path: string): 'match' | 'below' | 'never' {
  const matcher = new CgroupPatterns(patterns);
  let at = { isMatch: false, progress: matcher.start };
  for (const name of path.slice(1).split('/')) {
    if (at.progress.length === 0) return 'never';
    at = matcher.enter(at.progress, name);
  }
  if (at.isMatch) return 'match';
  return at.progress.length > 0 ? 'below' : 'never';
}

describe('a pattern of cgroup paths', () => {
  test.each([
    ['/a', '/a', 'match'],
    ['/a', '/ab', 'never'],
    ['/system.slice/istio*', '/system.slice', 'below'],
    ['/system.slice/istio*', '/system.slice/istio-proxy.service', 'match'],
    ['/system.slice/istio*', '/systemXslice', 'never'],
    ['/system.slice/istio*', '/user.slice/istio', 'never'],
    ['/kube*', '/kubepods/burstable', 'never'],
    ['/pod?', '/pod1', 'match'],
    ['/pod?', '/pod12', 'never'],
    ['/pod[0-4a]', '/pod3', 'match'],
    ['/pod[0-4a]', '/poda', 'match'],
    ['/pod[!0-4]', '/pod3', 'never'],
    ['/pod[^0-4]', '/pod7', 'match'],
    ['/pod[]x]', '/pod]', 'match'],
    ['/disk\\x2d[a]', '/disk\\x2da', 'match'],
    ['/a+b(c){1}', '/a+b(c){1}', 'match'],
    ['/kubepods*/**/pod1234*', '/kubepods/pod1234', 'match'],
    ['/kubepods*/**/pod1234*', '/kubepods.slice/burstable/pod1234-5678', 'match'],
    ['/kubepods*/**/pod1234*', '/kubepods.slice/a/b/c/pod1234', 'match'],
    ['/kubepods*/**/pod1234*', '/kubepods.slice/a/b', 'below'],
    ['/kubepods*/**/pod1234*', '/system.slice', 'never'],
    ['/**', '/anything', 'match'],
    ['/a/**', '/a', 'below'],
    ['/a/**', '/a/b', 'match'],
    ['/**/x/**/y', '/x/y', 'match'],
    ['/**/x/**/y', '/a/x/x/b/y', 'match'],
    ['/**/x/**/y', '/a/y', 'below'],
  ])('%s and the path %s: %s', (pattern, path, wanted) => {
    expect(outcome([pattern], path)).toBe(wanted);
  });

  test('is one of several', () => {
    expect(outcome(['/a/b', '/a/c'], '/a')).toBe('below');
    expect(outcome(['/a/b', '/a/c'], '/a/c')).toBe('match');
    expect(outcome([], '/a')).toBe('never');
  });

  test.each([
    ['a/b', 'must start with / at character 1'],
    ['', 'must start with / at character 1'],
    ['/', 'must name a cgroup after / at character 1'],
    ['/a//b', 'empty element at character 4'],
    ['/a/', 'empty element at character 4'],
    ['/a/../b', 'must not have .. as an element at character 4'],
    ['/a/./b', 'must not have . as an element at character 4'],
    ['/kube**/x', '** at character 6 alone between slashes'],
    ['/a/***', '** at character 4 alone'],
    ['/a/pod[12', 'close the [ at character 7'],
    ['/a[/]b', 'close the [ at character 3'],
    ['/a[]', 'close the [ at character 3'],
    ['/pod[z-a]', 'the range z-a at character 6 the other way round'],
  ])('%s is refused: %s', (pattern, reason) => {
    expect(cgroupPatternFault(pattern)).toContain(reason);
  });
});
