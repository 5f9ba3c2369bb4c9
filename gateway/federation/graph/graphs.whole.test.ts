import { fastify, type FastifyInstance } from 'fastify';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../document/limits.ts';
import { logger } from '../../http/logger.ts';
import { smallSupergraph, withoutField } from '../../test/small-supergraph.ts';
import { standInClinical, standInImaging } from '../../test/stand-in-subgraphs.ts';
import { Graph } from './graph.ts';
import { Graphs } from './graphs.ts';
import { federatedServer } from '../apollo/supergraph.ts';

const file = (name: string) => readFileSync(new URL(`../../../schema/${name}`, import.meta.url), 'utf8');
const whole = smallSupergraph();
const without = withoutField(whole, 'Patient.birthDate');

let folder: string;
let path: string;
let graphs: Graphs;
let app: FastifyInstance;
const onReload = vi.fn();
/** The graph of each request. */
const used: WeakRef<Graph>[] = [];
let held = Promise.resolve();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graphs-'));
  path = join(folder, 'supergraph.graphql');
  await writeFile(path, whole);
  const subgraphs = { clinical: standInClinical(), imaging: standInImaging() };
  const log = logger('silent');
  const common = { subgraphs, limits: DEFAULT_LIMITS, log, persisted: undefined as never };
  graphs = await Graphs.start({
    texts: {
      supergraphSdl: Buffer.from(file('supergraph.graphql')),
      apiSdl: Buffer.from(file('api.graphql')),
    },
    file: { path, interval: 20 },
    subgraphs,
    log,
    onReload,
    start: (texts) => federatedServer({ ...texts, ...common }),
    documents: () => ['{ Patient(id: "p1") { id } }', '{ Patient(id: "p1") { birthDate } }'],
  });
  app = fastify();
  app.get('/', async (_request, reply) => {
    used.push(new WeakRef(graphs.of(reply)));
    await held;
    return 'done';
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
}, 60_000);
afterAll(async () => {
  await app.close();
  await graphs.close();
  await rm(folder, { recursive: true, force: true });
});

const ask = async () => (await fetch(app.listeningOrigin)).text();

async function replace(sdl: string): Promise<void> {
  onReload.mockClear();
  await writeFile(path, sdl);
  await vi.waitFor(() => expect(onReload).toHaveBeenCalledWith('loaded'), { timeout: 20_000 });
}

test('FG-35 the documents that are valid in the file are prepared', async () => {
  expect(await graphs.prepare()).toBe(2);
});

test('FG-35 a graph that is replaced ends with its last request', async () => {
  const closed = vi.spyOn(Graph.prototype, 'close');
  let finish = () => {};
  held = new Promise((done) => (finish = done));
  const answers = [ask(), ask()];
  await vi.waitFor(() => expect(used.length).toBe(2), 10_000);
  const [graph] = used.map((one) => one.deref());
  await replace(without);
  expect(closed).not.toHaveBeenCalled();
  finish();
  expect(await Promise.all(answers)).toEqual(['done', 'done']);
  await vi.waitFor(() => expect(closed.mock.contexts).toEqual([graph]), 10_000);
}, 60_000);

test('FG-35 graphs that are replaced leave the memory', async () => {
  used.length = 0;
  for (const sdl of [whole, without, whole, without, whole]) {
    await ask();
    await replace(sdl);
  }
  expect(used.length).toBe(5);
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await vi.waitFor(
    () => {
      gc();
      expect(used.filter((one) => one.deref())).toEqual([]);
    },
    { timeout: 20_000, interval: 500 },
  );
}, 90_000);
