import { describe, expect, test } from 'vitest';
import { ManifestFolder, serviceYaml } from './manifests.ts';

const GOOD = serviceYaml('web', '10.96.0.10');

/** A folder whose a.yaml is in force, then written anew with this text; resolves when it has been read. */
async function afterRewrite(text: string): Promise<ManifestFolder> {
  const folder = new ManifestFolder();
  folder.write('a.yaml', GOOD);
  await folder.watch();
  folder.write('a.yaml', text);
  await settled(folder);
  return folder;
}

/**
 * Everything written so far has been read. A file is read once it is quiet, so the last file by name, written later, may
 * still be read one look too early; a second round comes after that look.
 */
async function settled(folder: ManifestFolder): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const name = `z${folder.told.length}`;
    folder.write('z.yaml', serviceYaml(name, '10.96.99.99'));
    await folder.until(`upsert Service default/${name}`);
  }
}

/** The names of the Services told and not taken back, z's left out. */
function inForce(folder: ManifestFolder): string[] {
  const names = new Set<string>();
  for (const told of folder.told) {
    if (told.what === 'upsert') names.add(told.object.name);
    if (told.what === 'delete') names.delete(told.reference.name);
  }
  return [...names].filter((name) => !name.startsWith('z'));
}

describe('a file that does not parse', () => {
  test.each([
    [
      'half written',
      `${GOOD}---\napiVersion: v1\nkind: Service\nmetadata:\n  name: other\nspec:\n  ports: [{name: http, po`,
      'a.yaml:16:26',
    ],
    ['with a field twice', GOOD.replace('spec:\n', 'spec:\n  clusterIP: 10.96.0.1\n'), 'a.yaml:7:3'],
    ['with an alias to nothing', GOOD.replace('port: 80', 'port: *eighty'), 'a.yaml:1:1'],
  ])('%s keeps its last good objects and says so with file, line and column', async (_, text, where) => {
    const folder = await afterRewrite(text);
    expect(folder.warnings).toMatchObject([{ where, object: '', field: '' }]);
    expect(folder.warnings[0]?.message).toMatch(/; what it last held stays in force$/);
    expect(inForce(folder)).toEqual(['web']);
  });

  test('says so once, however often it is written like that, and again after it was good', async () => {
    const half = 'kind: Service\nmetadata: {name';
    const folder = await afterRewrite(half);
    for (const more of [' ', '  ']) {
      folder.write('a.yaml', half + more);
      await settled(folder);
    }
    expect(folder.warnings).toMatchObject([{ where: 'a.yaml:2:16' }]);
    folder.write('a.yaml', GOOD);
    await settled(folder);
    folder.write('a.yaml', half);
    await settled(folder);
    expect(folder.warnings).toMatchObject([{ where: 'a.yaml:2:16' }, { where: 'a.yaml:2:16' }]);
    expect(inForce(folder)).toEqual(['web']);
  });

  test('brings its new objects once it is whole', async () => {
    const folder = await afterRewrite(GOOD.slice(0, -8).replace('name: http', 'name: "http'));
    folder.write('a.yaml', serviceYaml('other', '10.96.0.11'));
    await settled(folder);
    expect(folder.warnings).toHaveLength(1);
    expect(inForce(folder)).toEqual(['other']);
  });

  test('holds up neither the first picture nor other files', async () => {
    const folder = new ManifestFolder();
    folder.write('a.yaml', '{');
    folder.write('b.json', '{"kind": "Service",');
    folder.write('c.yaml', GOOD);
    await folder.watch();
    expect(folder.warnings).toMatchObject([
      { where: 'a.yaml:1:2', message: expect.stringMatching(/; nothing is taken from it$/) },
      { where: 'b.json:1:20', message: expect.stringMatching(/; nothing is taken from it$/) },
    ]);
    expect(inForce(folder)).toEqual(['web']);
  });
});

describe('a faulty object', () => {
  test.each([
    ['a wrong kind', GOOD.replace('kind: Service', 'kind: Ingress'), 'a.yaml:2:7', 'kind', /^is Ingress; read are Service/],
    ['no kind', GOOD.replace('kind: Service\n', ''), 'a.yaml:1:1', 'kind', /^is required/],
    ['a wrong version', GOOD.replace('v1', 'v2'), 'a.yaml:1:13', 'apiVersion', /^is v2; Service is read as v1/],
    ['port 70000', GOOD.replace('80', '70000'), 'a.yaml:9:11', 'spec.ports[0].port', /whole number from 1 to 65535, not 70000/],
    ['an invalid IP', GOOD.replace('0.10', '0.256'), 'a.yaml:6:14', 'spec.clusterIP', /^is no IP address: "10.96.0.256"/],
    [
      'a text for a list',
      `${GOOD.slice(0, GOOD.indexOf('ports:'))}ports: http\n`,
      'a.yaml:7:10',
      'spec.ports',
      /must be a list, not "http"/,
    ],
    ['no name', GOOD.replace('name: web', 'labels: {}'), 'a.yaml:4:3', 'metadata.name', /^is required/],
  ])(
    'with %s is named with its field and place, and left out; the rest of its file is taken',
    async (_, text, where, field, message) => {
      const folder = new ManifestFolder();
      folder.write('a.yaml', `${text}---\n${serviceYaml('other', '10.96.0.11')}`);
      await folder.watch();
      expect(folder.warnings).toEqual([
        { where, object: expect.any(String), field, message: expect.stringMatching(/; it is left out$/) },
      ]);
      expect(folder.warnings[0]?.message).toMatch(message);
      expect(inForce(folder)).toEqual(['other']);
    },
  );

  test('that was good before keeps its last good version, while the rest of its file moves on', async () => {
    const folder = await afterRewrite(`${GOOD.replace('80', '70000')}---\n${serviceYaml('other', '10.96.0.11')}`);
    expect(folder.warnings).toMatchObject([{ where: 'a.yaml:9:11', object: 'Service default/web', field: 'spec.ports[0].port' }]);
    expect(folder.warnings[0]?.message).toMatch(/; its last good version stays in force$/);
    expect(inForce(folder)).toEqual(['web', 'other']);
  });

  test('is told once, and each of its faults', async () => {
    const faulty = GOOD.replace('80', '70000').replace('0.10', '0.256');
    const folder = await afterRewrite(faulty);
    folder.write('a.yaml', `${faulty}# a comment\n`);
    await settled(folder);
    expect(folder.warnings.map(({ field }) => field)).toEqual(['spec.clusterIP', 'spec.ports[0].port']);
  });

  test('that is removed from its file goes, also the good version that stayed in force', async () => {
    const folder = await afterRewrite(GOOD.replace('80', '70000'));
    folder.write('a.yaml', '# nothing left\n');
    await settled(folder);
    expect(inForce(folder)).toEqual([]);
  });

  test('that is in its file twice counts as it stands first', async () => {
    const folder = new ManifestFolder();
    folder.write('a.yaml', `${GOOD}---\n${GOOD.replace('80', '81')}`);
    await folder.watch();
    expect(folder.warnings).toMatchObject([
      { where: 'a.yaml:11:1', object: 'Service default/web', message: 'is in this file twice; the first is taken' },
    ]);
    expect(folder.told[1]).toMatchObject({ object: { ports: [{ port: 80 }] } });
  });
});

test('an entry that is left out is named with its place, once, and costs its object nothing else', async () => {
  const text = `${GOOD}  externalIPs: [192.0.2.1, x]\n`;
  const folder = await afterRewrite(text);
  folder.write('a.yaml', `${text}# a comment\n`);
  await settled(folder);
  const message = 'is no IP address: "x"; it is left out, the rest is in force';
  expect(folder.warnings).toEqual([
    { where: 'a.yaml:10:28', object: 'Service default/web', field: 'spec.externalIPs[1]', message },
  ]);
  const webs = folder.told.flatMap((told) => (told.what === 'upsert' && told.object.name === 'web' ? [told.object] : []));
  expect(webs.at(-1)).toMatchObject({ externalIPs: ['192.0.2.1'] });
});

test('a value that is no object, and a document without anything, are no reason to stop', async () => {
  const folder = new ManifestFolder();
  folder.write('a.yaml', `just text\n---\n{a: map}\n---\n# nothing\n---\n${GOOD}---\n`);
  await folder.watch();
  expect(folder.warnings).toMatchObject([
    { where: 'a.yaml:1:1', message: 'is no Kubernetes object; it is left out' },
    { where: 'a.yaml:3:1', field: 'kind', message: 'is required; it is left out' },
  ]);
  expect(inForce(folder)).toEqual(['web']);
});
