import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ClusterState } from '../../../src/state/cluster-state.ts';
import { printDesiredState } from '../../../src/state/print.ts';
import { ManifestFolder, serviceYaml } from './manifests.ts';

const SYNCED = ['synced Service', 'synced EndpointSlice', 'synced Node', 'synced ServiceCIDR'];

/** A folder, and the state of a node that follows it. */
function folderWithState(): { folder: ManifestFolder; watch: () => Promise<void>; units: () => string; state: ClusterState } {
  const folder = new ManifestFolder();
  const state = new ClusterState('node-a');
  const watch = (): Promise<void> =>
    folder.watch({
      upsert: (object) => state.upsert(object),
      delete: ({ kind, namespace, name }) => state.delete(kind, namespace, name),
    });
  return { folder, watch, state, units: () => printDesiredState(state.desired(), { endpoints: true }) };
}

describe('a folder of manifests', () => {
  test('without files is a picture without objects', async () => {
    const folder = new ManifestFolder();
    await folder.watch();
    expect(folder.told.map(({ what }) => what)).toEqual(['synced', 'synced', 'synced', 'synced']);
  });

  test('holds YAML and JSON, several documents in a file, and Lists; all before the first picture is complete', async () => {
    const { folder, watch, units } = folderWithState();
    folder.write('a.yaml', `# first\n---\n${serviceYaml('a', '10.96.0.1')}---\n${serviceYaml('b', '10.96.0.2')}---\n`);
    const list = { apiVersion: 'v1', kind: 'List', items: [sliceJson('a', '10.244.1.1'), sliceJson('b', '10.244.1.2')] };
    folder.write('b.json', JSON.stringify(list, null, '\t'));
    folder.write(
      'c.yml',
      `apiVersion: v1\nkind: ServiceList\nitems:\n- ${serviceYaml('c', '10.96.0.3').replaceAll('\n', '\n  ')}`,
    );
    folder.write('README.md', 'not a manifest');
    mkdirSync(join(folder.path, 'folder.yaml'));
    await watch();
    expect(folder.warnings).toEqual([]);
    expect(folder.told.slice(-4).map(({ what }) => what)).toEqual(['synced', 'synced', 'synced', 'synced']);
    expect(units()).toBe(`svc default/a:http 10.96.0.1:80/TCP backends=1
  cluster 10.244.1.1:8080
svc default/b:http 10.96.0.2:80/TCP backends=1
  cluster 10.244.1.2:8080
svc default/c:http 10.96.0.3:80/TCP backends=0 no-endpoints
`);
  });

  test('that is missing is waited for, with one warning', async () => {
    const folder = new ManifestFolder();
    rmSync(folder.path, { recursive: true });
    folder.start();
    await folder.until(`warn ${folder.path}`);
    mkdirSync(folder.path);
    await folder.until('synced ServiceCIDR');
    expect(folder.warnings).toMatchObject([{ object: '', message: 'cannot be read (ENOENT); waiting for it' }]);
  });

  test('that goes missing later keeps its objects in force', async () => {
    const { folder, watch, units } = folderWithState();
    folder.write('a.yaml', serviceYaml('a', '10.96.0.1'));
    await watch();
    const before = units();
    renameSync(folder.path, `${folder.path}.away`);
    await folder.until(`warn ${folder.path}`);
    expect(folder.warnings[0]?.message).toBe('cannot be read (ENOENT); waiting for it, its objects stay in force');
    renameSync(`${folder.path}.away`, folder.path);
    folder.write('b.yaml', serviceYaml('b', '10.96.0.2'));
    expect(await folder.until('upsert Service default/b')).toEqual(['upsert Service default/b']);
    expect(units()).toContain(before);
  });
});

describe('a change of the files', () => {
  test('a new file brings its objects, a removed one takes them along', async () => {
    const { folder, watch, units } = folderWithState();
    await watch();
    folder.write('a.yaml', serviceYaml('a', '10.96.0.1'));
    await folder.until('upsert Service default/a');
    folder.remove('a.yaml');
    expect(await folder.until('delete Service default/a')).toEqual(['delete Service default/a']);
    expect(units()).toBe('');
  });

  test('a file written anew brings what it holds now and takes along what it held', async () => {
    const { folder, watch, units } = folderWithState();
    folder.write('a.yaml', `${serviceYaml('a', '10.96.0.1')}---\n${serviceYaml('b', '10.96.0.2')}`);
    await watch();
    folder.write('a.yaml', serviceYaml('b', '10.96.0.3'));
    await folder.until('upsert Service default/b');
    expect(units()).toBe('svc default/b:http 10.96.0.3:80/TCP backends=0 no-endpoints\n');
    expect(folder.warnings).toEqual([]);
  });

  test('a file that is replaced is never seen empty: its objects change and are not deleted', async () => {
    const { folder, watch, units } = folderWithState();
    folder.write('a.yaml', serviceYaml('a', '10.96.0.1'));
    await watch();
    for (const port of [81, 82, 83]) {
      folder.replace('a.yaml', serviceYaml('a', '10.96.0.1', port));
      expect(await folder.until('upsert Service default/a')).toEqual(['upsert Service default/a']);
      expect(units()).toBe(`svc default/a:http 10.96.0.1:${port}/TCP backends=0 no-endpoints\n`);
    }
  });

  test('an emptied file takes its objects along', async () => {
    const { folder, watch, units } = folderWithState();
    folder.write('a.yaml', serviceYaml('a', '10.96.0.1'));
    await watch();
    folder.replace('a.yaml', '');
    await folder.until('delete Service default/a');
    expect(units()).toBe('');
  });

  test('an object in two files is in force from the first by name, and from the other when that one goes', async () => {
    const { folder, watch, units } = folderWithState();
    folder.write('a.yaml', serviceYaml('web', '10.96.0.1'));
    folder.write('b.yaml', serviceYaml('web', '10.96.0.2'));
    await watch();
    expect(units()).toContain('10.96.0.1:80');
    expect(folder.warnings).toEqual([
      {
        where: 'b.yaml:1:1',
        object: 'Service default/web',
        field: '',
        message: 'is also in a.yaml:1:1, which is in force because its file name comes first',
      },
    ]);
    folder.remove('a.yaml');
    expect(await folder.until('upsert Service default/web')).toEqual(['upsert Service default/web']);
    expect(units()).toContain('10.96.0.2:80');
  });

  test('a cluster IP that another Service has: the one in force keeps it until its file goes', async () => {
    const { folder, watch, units, state } = folderWithState();
    folder.write('a.yaml', serviceYaml('a', '10.96.0.1'));
    folder.write('b.yaml', serviceYaml('b', '010.96.000.001'));
    await watch();
    expect(state.takeConflicts()).toMatchObject([{ holder: 'default/a', waiting: 'default/b', field: 'spec.clusterIP' }]);
    expect(units()).toBe('svc default/a:http 10.96.0.1:80/TCP backends=0 no-endpoints\n');
    folder.remove('a.yaml');
    await folder.until('delete Service default/a');
    expect(units()).toBe('svc default/b:http 10.96.0.1:80/TCP backends=0 no-endpoints\n');
  });
});

describe('odd files do not hold up the first picture', () => {
  test('one from the future, as after a start with the clock behind', async () => {
    const folder = new ManifestFolder();
    folder.write('a.yaml', serviceYaml('a', '10.96.0.1'));
    const nextYear = Date.now() / 1000 + 365 * 86_400;
    utimesSync(join(folder.path, 'a.yaml'), nextYear, nextYear);
    await folder.watch();
    expect(folder.told).toHaveLength(1 + SYNCED.length);
  });

  test("a link to nowhere, such as an editor's lock", async () => {
    const folder = new ManifestFolder();
    symlinkSync('user@host.123', join(folder.path, '.#a.yaml'));
    folder.write('a.yaml', serviceYaml('a', '10.96.0.1'));
    await folder.watch();
    expect(folder.warnings).toMatchObject([{ where: '.#a.yaml', message: expect.stringContaining('cannot be read (ENOENT)') }]);
  });
});

function sliceJson(service: string, address: string): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [{ addresses: [address] }],
  };
}
