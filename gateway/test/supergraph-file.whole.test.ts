import { mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { metrics } from '../http/metrics.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { LONG } from './setup/long.ts';
import { smallSupergraph, withoutField } from './small-supergraph.ts';

/** FG-35: the supergraph is read from a file, and read again when the file changes. */

const whole = smallSupergraph();
const without = withoutField(whole, 'Patient.birthDate');
const INTERVAL = 50;
const measured = metrics();
let folder: string;
let path: string;
let gateway: GatewayAlone;
/** Requests for conditions wait here. */
const waiting: (() => void)[] = [];
let isHeld = false;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'supergraph-'));
  path = join(folder, 'supergraph.graphql');
  await put(whole);
  gateway = await startGatewayAlone({
    broken: {
      conditions: () => (isHeld ? new Promise<void>((done) => waiting.push(done)) : Promise.resolve()),
    },
    app: { supergraphFile: { path, interval: INTERVAL }, metrics: measured },
  });
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Puts a file in place as Kubernetes does: the name becomes a link to another file. */
async function put(text: string): Promise<void> {
  const file = join(folder, `${Math.random()}.graphql`);
  await writeFile(file, text);
  await symlink(file, `${file}.link`);
  await rename(`${file}.link`, path);
}

async function ask(query: string, tenant = 'introspectable') {
  const response = await fetch(`${gateway.url}/${tenant}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const answer = (await response.json()) as {
    data?: Record<string, Record<string, unknown> | null> | null;
    errors?: { message: string }[];
  };
  return { status: response.status, ...answer };
}

async function reloads(outcome: string): Promise<number> {
  const { values } = await measured.registry.getSingleMetric('supergraph_reloads_total')!.get();
  return values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
}

/** Puts a text in place, and waits until it is loaded or rejected. */
async function change(text: string, outcome = 'loaded'): Promise<void> {
  const before = await reloads(outcome);
  await put(text);
  await reached(outcome, before + 1);
}

const reached = (outcome: string, count: number) =>
  vi.waitFor(async () => expect(await reloads(outcome)).toBe(count), { timeout: 30_000, interval: 20 });
const health = async () => (await fetch(`${gateway.url}/health/ready`)).json();
const schemaFile = async (headers = {}) => fetch(`${gateway.url}/schema.graphql`, { headers });

const BIRTH_DATE = '{ Patient(id: "p1") { birthDate } }';
const CONDITIONS = '{ Patient(id: "p1") { id ConditionList { id } } }';
const FIELDS = '{ __type(name: "Patient") { fields { name } } }';

describe('FG-35 a changed file takes effect', () => {
  test('a field that is removed is refused, elsewhere all works, and it comes back', async () => {
    const schema = await schemaFile();
    const etag = schema.headers.get('etag')!;
    expect(await schema.text()).toContain('birthDate');
    // Each twice: then the operation is known, and its introspection prepared.
    for (const _ of [1, 2]) {
      expect(await ask(BIRTH_DATE)).toMatchObject({ data: { Patient: { birthDate: '1970-01-01' } } });
      expect(JSON.stringify(await ask(FIELDS))).toContain('birthDate');
    }

    await change(without);
    expect(await ask(BIRTH_DATE)).toMatchObject({
      status: 400,
      errors: [{ message: expect.stringContaining('Cannot query field "birthDate" on type "Patient".') }],
    });
    expect(await ask(CONDITIONS)).toMatchObject({ data: { Patient: { ConditionList: [{ id: 'c1' }] } } });
    expect(JSON.stringify(await ask(FIELDS))).not.toContain('birthDate');
    const changed = await schemaFile({ 'if-none-match': etag });
    expect(changed.status).toBe(200);
    expect(await changed.text()).not.toContain('birthDate');

    await change(whole);
    expect(await ask(BIRTH_DATE)).toMatchObject({ data: { Patient: { birthDate: '1970-01-01' } } });
    expect((await schemaFile({ 'if-none-match': etag })).status).toBe(304);
  }, 60_000);
});

describe('FG-35 a wrong file is rejected, and the supergraph before it is served', () => {
  test.each([
    ['empty', () => put(''), 'Syntax Error: Unexpected <EOF>'],
    ['half written', () => put(whole.slice(0, 1000)), 'Syntax Error'],
    [
      'a field that no subgraph has',
      () => put(whole.replace('birthDate: date', 'born: date')),
      'Not in the subgraph clinical: Patient.born: date.',
    ],
    ['missing', () => unlink(path), 'ENOENT'],
  ])(
    '%s',
    async (_title, spoil, reason) => {
      const [rejected, loaded] = [await reloads('rejected'), await reloads('loaded')];
      await spoil();
      await reached('rejected', rejected + 1);
      expect(await ask(BIRTH_DATE)).toMatchObject({ data: { Patient: { birthDate: '1970-01-01' } } });
      expect(await health()).toEqual({ status: 'ready', supergraphFile: 'rejected' });
      const line = gateway
        .logged()
        .trim()
        .split('\n')
        .findLast((one) => one.includes('SUPERGRAPH_FILE'))!;
      expect(JSON.parse(line)).toMatchObject({ level: 50, reason: expect.stringContaining(reason) });
      // It is said once.
      await delay(4 * INTERVAL);
      expect(await reloads('rejected')).toBe(rejected + 1);
      await put(whole);
      await reached('loaded', loaded + 1);
      expect(await health()).toEqual({ status: 'ready', supergraphFile: 'served' });
    },
    60_000,
  );

  test('at the start it is the end of the start', async () => {
    const file = { path: join(folder, 'nothing.graphql'), interval: INTERVAL };
    await expect(startGatewayAlone({ app: { supergraphFile: file } })).rejects.toThrow(
      /^SUPERGRAPH_FILE .*nothing\.graphql: ENOENT/,
    );
  }, 60_000);
});

test('FG-35 no request fails that is in flight while the supergraph is replaced', async () => {
  isHeld = true;
  const held = Array.from({ length: 200 }, () => ask(CONDITIONS));
  await vi.waitFor(() => expect(waiting.length).toBe(200), { timeout: 20_000 });
  isHeld = false;
  let isOver = false;
  const meanwhile: Awaited<ReturnType<typeof ask>>[] = [];
  const others = Array.from({ length: 4 }, async () => {
    while (!isOver) meanwhile.push(await ask(CONDITIONS));
  });
  for (let swap = 0; swap < (LONG ? 20 : 5); swap++) await change(swap % 2 === 0 ? without : whole);
  isOver = true;
  await Promise.all(others);
  for (const done of waiting.splice(0)) done();
  const answers = [...(await Promise.all(held)), ...meanwhile];
  expect(answers.length).toBeGreaterThan(220);
  for (const { errors, data } of answers) {
    expect(errors).toBeUndefined();
    expect(data).toEqual({ Patient: { id: 'p1', ConditionList: [{ id: 'c1' }] } });
  }
}, 300_000);
