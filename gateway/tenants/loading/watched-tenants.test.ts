import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { ExpressionPool } from '../../../schema/expressions/pool.ts';
import { documentIdOf } from '../../../schema/graphql/trusted-manifest.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { WatchedTenants } from './watched-tenants.ts';

const expressions = new ExpressionPool();
afterAll(() => expressions.close());
const folders: string[] = [];
const watched: WatchedTenants[] = [];
afterEach(() => {
  for (const tenants of watched.splice(0)) tenants.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const at = (path: string) => ({
  authorization: { type: 'mock' },
  images: { type: 'folder', lookup: 'studies-by-mrn', path },
});

function start(files: Record<string, unknown>, directory?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'watched-'));
  folders.push(folder);
  const put = (name: string, content: unknown) =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  for (const [name, content] of Object.entries(files)) put(name, content);
  const tenants = new WatchedTenants({
    directory: directory ? join(folder, directory) : folder,
    environment: {},
    expressions,
    demo: { images: '/demo', patients: '/patients' },
    mockAllowed: true,
    dynamic: false,
    dynamicHosts: new Set<string>(),
  });
  watched.push(tenants);
  const happened: string[] = [];
  const effects: string[] = [];
  const log = {
    info: () => undefined,
    warn: () => undefined,
    error({ file, reason }: { file: string; reason: string }, message: string) {
      happened.push(`${file}: ${reason}`);
      effects.push(`${file}: ${message.split('; ')[1]}`);
    },
  };
  void tenants.watch(0, {
    loaded: ({ key }) => happened.push(`loaded ${key}`),
    released: ({ key }, inUse) =>
      happened.push(`released ${key}; used: ${inUse.map(pathOf).sort().join(' ')}`),
    count: (result) => happened.push(result),
    log: log as never,
  });
  return { folder, put, tenants, happened: () => happened.splice(0), effects };
}
const pathOf = ({ images }: Tenant) => (images[0] as { path: string }).path;
const served = (tenants: WatchedTenants) => tenants.all.map((tenant) => `${tenant.key} ${pathOf(tenant)}`);

test('a change counts when it is seen twice, and at once where it is said to be whole', () => {
  const { put, tenants, happened } = start({ 'a.json': at('/1') });
  const { cacheKey } = tenants.byKey('a');
  put('a.json', at('/2'));
  tenants.look();
  expect(served(tenants)).toEqual(['a /1']);
  // It is still being written.
  put('a.json', at('/3'));
  tenants.look();
  expect(served(tenants)).toEqual(['a /1']);
  tenants.look();
  expect(served(tenants)).toEqual(['a /3']);
  expect(tenants.byKey('a').cacheKey).not.toBe(cacheKey);
  expect(happened()).toEqual(['loaded', 'loaded a', 'released a; used: /3']);
  put('b.json', at('/b'));
  tenants.look(true);
  expect(served(tenants)).toEqual(['a /3', 'b /b']);
  expect(happened()).toEqual(['loaded', 'loaded b']);
});

test('a tenant that does not change stays the same object', () => {
  const { put, tenants } = start({ 'a.json': at('/1'), 'b.json': at('/2') });
  const same = tenants.byKey('b');
  put('a.json', at('/3'));
  tenants.look(true);
  expect(tenants.byKey('b')).toBe(same);
});

test('a folder that Kubernetes replaces by another link is noticed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'configmap-'));
  folders.push(folder);
  const version = (name: string, files: Record<string, unknown>) => {
    mkdirSync(join(folder, name));
    for (const [file, content] of Object.entries(files))
      writeFileSync(join(folder, name, file), JSON.stringify(content));
    symlinkSync(name, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  version('..2026_1', { 'a.json': at('/1') });
  symlinkSync('..data/a.json', join(folder, 'a.json'));
  const { tenants } = start({}, join('..', folder.split('/').at(-1)!));
  expect(served(tenants)).toEqual(['a /1']);
  version('..2026_2', { 'a.json': at('/2') });
  tenants.look();
  tenants.look();
  expect(served(tenants)).toEqual(['a /2']);
});

test('a wrong file is rejected once with its reason, and the tenant before it is served', () => {
  const { put, tenants, happened, effects } = start({ 'a.json': at('/1'), 'b.json': at('/2') });
  const before = tenants.byKey('a');
  put('a.json', '{ "authorization": ');
  put('b.json', at('/3'));
  for (const _ of [1, 2, 3]) tenants.look();
  expect(served(tenants)).toEqual(['a /1', 'b /3']);
  expect(tenants.rejected).toEqual(['a.json']);
  expect(happened()).toEqual([
    'rejected',
    'a.json: (root): is not JSON: line 1, column 20: the text ends before a value',
    'loaded',
    'loaded b',
    'released b; used: /1 /3',
  ]);
  put('a.json', { ...at('/1'), colour: 1 });
  put('new.json', { authorization: { type: 'mock' } });
  tenants.look(true);
  expect(tenants.rejected).toEqual(['a.json', 'new.json']);
  expect(happened()).toEqual([
    'rejected',
    expect.stringMatching(/^a\.json: \(root\): Unrecognized key: "colour"/),
    'rejected',
    expect.stringMatching(/^new\.json: images: /),
  ]);
  expect(effects.slice(1)).toEqual([
    'a.json: the tenant before it is still served',
    'new.json: there is no such tenant yet',
  ]);
  put('a.json', at('/1'));
  rmSync(join(folders[0]!, 'new.json'));
  tenants.look(true);
  expect(tenants.rejected).toEqual([]);
  expect(tenants.byKey('a')).toBe(before);
  expect(happened()).toEqual([]);
});

test('a tenant that is removed is unknown, and a folder that is empty or away counts as not mounted', () => {
  const { folder, put, tenants, happened } = start({ 'a.json': at('/1'), 'b.json': at('/2') });
  rmSync(join(folder, 'b.json'));
  tenants.look(true);
  expect(() => tenants.byKey('b')).toThrow('There is no such tenant here. A path begins');
  expect(happened()).toEqual(['removed', 'released b; used: /1']);
  rmSync(join(folder, 'a.json'));
  tenants.look(true);
  tenants.look(true);
  expect(served(tenants)).toEqual(['a /1']);
  expect(tenants.rejected).toEqual(['TENANTS_DIR']);
  expect(happened()).toEqual(['rejected', `TENANTS_DIR: ${folder} has no tenant file any more`]);
  put('a.json', at('/4'));
  tenants.look(true);
  expect(served(tenants)).toEqual(['a /4']);
  expect(tenants.rejected).toEqual([]);
});

test('what a replaced tenant used is closed after its last request', () => {
  const { put, tenants, happened } = start({ 'a.json': at('/1') });
  const ends = [1, 2].map(() => tenants.begin(tenants.byKey('a')));
  put('a.json', at('/2'));
  tenants.look(true);
  const later = tenants.begin(tenants.byKey('a'));
  put('a.json', at('/3'));
  tenants.look(true);
  expect(happened()).toEqual(['loaded', 'loaded a', 'loaded', 'loaded a']);
  ends[0]!();
  expect(happened()).toEqual([]);
  ends[1]!();
  expect(happened()).toEqual(['released a; used: /2 /3']);
  later();
  expect(happened()).toEqual(['released a; used: /3']);
});

test('a change of the views that a tenant names is a change of the tenant', () => {
  const analysis = { enabled: true, views: ['view.txt'] };
  const { put, tenants } = start({ 'a.json': { ...at('/1'), analysis }, 'view.txt': { name: 'one' } });
  put('view.txt', { name: 'two' });
  tenants.look(true);
  expect(tenants.byKey('a').analysis.definitions).toEqual([{ name: 'two' }]);
});

test('a change of the documents that a tenant names is a change of the tenant', () => {
  const manifest = (body: string) => ({
    format: 'apollo-persisted-query-manifest',
    version: 1,
    operations: [{ id: documentIdOf(body), name: 'Q', type: 'query', body }],
  });
  const graphql = { trustedDocuments: 'enforce', trustedDocumentsFile: 'documents.txt' };
  const { put, tenants } = start({
    'a.json': { ...at('/1'), graphql },
    'documents.txt': manifest('query Q { a }'),
  });
  put('documents.txt', manifest('query Q { b }'));
  tenants.look(true);
  expect([...tenants.byKey('a').graphql.documents!.values()]).toEqual(['query Q { b }']);
});
