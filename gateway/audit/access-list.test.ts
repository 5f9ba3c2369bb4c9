import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ALLOWED, type AuditEvent } from '../../schema/access/audit.ts';
import { AccessList, type AccessListOptions, type AskedPage, type ListOf } from './access-list.ts';

const DAY = 86_400_000;
const SECRET = 'a secret of the list of accesses, long enough';
const TENANT = { key: 'ward', audit: { type: 'stdout' as const, keep: 30 } };
const STUDY = '1.2.840.99999.1.2.3';

let folder: string;
let now = Date.parse('2026-11-24T12:00:00.000Z');
const lists: AccessList[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'accesses-'));
  now = Date.parse('2026-11-24T12:00:00.000Z');
});
afterEach(async () => {
  await Promise.all(lists.splice(0).map((list) => list.close()));
  await rm(folder, { recursive: true, force: true });
});

function listOf(more: Partial<AccessListOptions> = {}) {
  const logged: string[] = [];
  const note = (_details: object, message: string) => void logged.push(message);
  const file = join(folder, 'accesses.sqlite');
  const log = { error: note, warn: note };
  const list = new AccessList({ file, secrets: [SECRET], now: () => now, log, backOff: 20, ...more });
  lists.push(list);
  return { list, logged, file };
}

/** Ends a list, as its process does. */
async function ended(list: AccessList): Promise<void> {
  lists.splice(lists.indexOf(list), 1);
  await list.close();
}

const event = (more: Partial<AuditEvent> = {}): AuditEvent => ({
  action: 'read',
  type: 'Observation',
  target: 'o1',
  patient: 'helen',
  outcome: ALLOWED,
  tenant: 'ward',
  client: 'viewer',
  user: 'Practitioner/weiss',
  request: 'request-1',
  time: new Date(now).toISOString(),
  ...more,
});

const HELEN = (): ListOf => ({ tenant: 'ward', patient: 'helen', since: now - 30 * DAY });
const ALL: AskedPage = { hidden: [], times: [], count: 50 };
const targets = (list: AccessList, asked: Partial<AskedPage> = {}, of = HELEN()) =>
  list.page(of, { ...ALL, ...asked })?.accesses.map(({ event: { target } }) => target);
const written = (list: AccessList, total: number, of = HELEN()) =>
  expect.poll(() => list.page(of, ALL)?.total).toBe(total);

test('lists the accesses of one patient of one tenant, newest first, a page at a time', async () => {
  const { list } = listOf();
  for (let index = 0; index < 5; index++) {
    list.add(TENANT, event({ target: `o${index}` }));
    now += 1000;
  }
  list.add(TENANT, event({ patient: 'george' }));
  list.add({ ...TENANT, key: 'other' }, event({ target: 'elsewhere' }));
  await written(list, 5);
  expect(targets(list)).toEqual(['o4', 'o3', 'o2', 'o1', 'o0']);
  const first = list.page(HELEN(), { ...ALL, count: 2 })!;
  expect(first.accesses.map(({ event: { target } }) => target)).toEqual(['o4', 'o3']);
  const second = list.page(HELEN(), { ...ALL, count: 3, after: first.next })!;
  expect(second.accesses.map(({ event: { target } }) => target)).toEqual(['o2', 'o1', 'o0']);
  expect(second).toMatchObject({ total: 5, next: undefined });
  const { id } = first.accesses[0]!;
  expect(list.find(HELEN(), id)?.event).toEqual(event({ target: 'o4', time: '2026-11-24T12:00:04.000Z' }));
  const george = { ...HELEN(), patient: 'george' };
  expect(list.find(george, id)).toBeUndefined();
  expect(list.page(george, { ...ALL, after: id })).toBeUndefined();
});

test('an equal access is listed again after an hour; another caller, study or outcome at once', async () => {
  const { list } = listOf();
  const study = { action: 'retrieve', type: 'ImagingStudy', study: STUDY } as const;
  for (let index = 0; index < 500; index++)
    list.add(TENANT, event({ ...study, target: `instances/${index}` }));
  list.add(TENANT, event({ ...study, user: 'Patient/helen' }));
  list.add(TENANT, event({ ...study, study: '1.2.3' }));
  list.add(TENANT, event({ ...study, outcome: { kind: 'failed', code: 'bad_gateway' } }));
  await written(list, 4);
  now += 3_600_000;
  list.add(TENANT, event(study));
  await written(list, 5);
  expect([...list.studies(HELEN()).values()].sort()).toEqual(['1.2.3', STUDY]);
  // Another process of the same folder knows what this one has written.
  const { list: other } = listOf();
  other.add(TENANT, event(study));
  other.add(TENANT, event({ target: 'new' }));
  await written(list, 6);
});

test('hidden studies are in no page and no total', async () => {
  const { list } = listOf();
  list.add(TENANT, event({ study: STUDY, target: 'hidden' }));
  list.add(TENANT, event());
  await written(list, 2);
  const hidden = [...list.studies(HELEN()).keys()];
  expect(list.page(HELEN(), { ...ALL, hidden })).toMatchObject({ total: 1, accesses: [{ study: null }] });
});

test.each<[string, Partial<AuditEvent>, number]>([
  ['whose patient is not known', { patient: undefined }, 30],
  ['whose caller is not known', { client: undefined, user: undefined }, 30],
  ['of a tenant without a list', {}, 0],
])('does not list an access %s', async (_what, more, keep) => {
  const { list, file } = listOf();
  list.add({ key: 'ward', audit: { type: 'stdout', keep } }, event(more));
  await ended(list);
  expect(existsSync(file)).toBe(false);
});

test('a caller who guesses adds a hundred refusals in an hour', async () => {
  const { list } = listOf();
  const outcome = { kind: 'denied', code: 'forbidden' } as const;
  for (let index = 0; index < 300; index++) list.add(TENANT, event({ outcome, target: `o${index}` }));
  list.add(TENANT, event({ outcome, user: 'Practitioner/other' }));
  await written(list, 101);
});

test('what is over is not listed, and purged; a shorter time counts at once', async () => {
  const { list, file } = listOf();
  list.add(TENANT, event({ target: 'old' }));
  await written(list, 1);
  now += 29 * DAY;
  list.add(TENANT, event({ target: 'new' }));
  await written(list, 2);
  expect(targets(list, {}, { ...HELEN(), since: now - DAY })).toEqual(['new']);
  now += DAY;
  list.purge();
  expect(targets(list, {}, { ...HELEN(), since: 0 })).toEqual(['new']);
  now += 40 * DAY;
  await ended(list);
  const { list: next } = listOf({ file });
  next.purge();
  expect(targets(next, {}, { ...HELEN(), since: 0 })).toEqual([]);
});

test('the oldest end when the file is full, which the log says once', async () => {
  const { list, logged } = listOf({ most: 10 });
  for (let index = 0; index < 25; index++) list.add(TENANT, event({ target: `o${index}` }));
  await expect.poll(() => targets(list)?.[0]).toBe('o24');
  expect(targets(list)).toHaveLength(10);
  list.add(TENANT, event({ target: 'last' }));
  await expect.poll(() => targets(list)?.[0]).toBe('last');
  expect(logged).toEqual(['the list of accesses is full: its oldest entries end before their time']);
});

test('is there after a restart, also with a new key beside the old one; not with another key', async () => {
  const { list } = listOf();
  list.add(TENANT, event());
  await ended(list);
  const { list: again } = listOf();
  expect(targets(again)).toEqual(['o1']);
  await ended(again);
  const NEW = 'the next secret of the list of accesses, long';
  const { list: rotated } = listOf({ secrets: [NEW, SECRET] });
  rotated.add(TENANT, event({ target: 'o2' }));
  await written(rotated, 2);
  await ended(rotated);
  expect(targets(listOf({ secrets: [NEW] }).list)).toEqual(['o2']);
  expect(targets(listOf({ secrets: ['a secret of somebody else, long enough'] }).list)).toEqual([]);
});

test('its files name nobody and no study', async () => {
  const { list } = listOf();
  list.add(TENANT, event({ study: STUDY, query: 'Observation?category=laboratory' }));
  await written(list, 1);
  const names = await readdir(folder);
  expect(names).toContain('accesses.sqlite-wal');
  const text = names.map((name) => readFileSync(join(folder, name), 'latin1')).join('');
  for (const clear of ['helen', STUDY, 'weiss', 'viewer', 'ward', 'laboratory', 'Observation', 'request-1'])
    expect(text).not.toContain(clear);
});

test.each<[string, () => Promise<unknown>]>([
  [
    'a broken file',
    () => writeFile(join(folder, 'accesses.sqlite'), 'no database, for at least a hundred bytes '.repeat(9)),
  ],
  ['a folder that cannot be made', () => writeFile(join(folder, 'sub'), '')],
])('%s costs no request: it is logged, and accesses wait', async (_what, destroy) => {
  await destroy();
  const file = join(folder, existsSync(join(folder, 'sub')) ? 'sub/accesses.sqlite' : 'accesses.sqlite');
  const { list, logged } = listOf({ file });
  list.add(TENANT, event());
  await expect.poll(() => logged).toEqual(['accesses for the list of patients cannot be delivered']);
  expect(() => list.page(HELEN(), ALL)).toThrow('cannot be read at the moment');
  expect(() => list.add(TENANT, event({ target: 'o2' }))).not.toThrow();
  await rm(join(folder, 'sub'), { force: true });
  await rm(join(folder, 'accesses.sqlite'), { force: true });
  await expect.poll(() => existsSync(file) && targets(list)?.length).toBe(2);
});
