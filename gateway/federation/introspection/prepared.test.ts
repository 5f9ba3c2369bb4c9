import { fastify, type FastifyInstance } from 'fastify';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerNames } from './prepared-files.ts';
import { PreparedIntrospection } from './prepared.ts';

const SDL = Buffer.from('type Query { one: Int }');
const FORM = '{__schema{queryType{name}}}';
const BY_THREAD = { data: { __schema: { queryType: { name: 'Query' } } } };

let folder: string;
let app: FastifyInstance;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'prepared-'));
  const introspection = new PreparedIntrospection(SDL, pathToFileURL(`${folder}/`));
  app = fastify();
  app.get('/', (request, reply) => introspection.send(request, reply, FORM, 'application/json'));
  app.addHook('onClose', () => introspection.close());
});
afterEach(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a prepared answer that no schema has. */
const prepare = (sdl: Uint8Array) =>
  writeFileSync(join(folder, `${answerNames(sdl)(FORM)}.json.gz`), gzipSync('{"data":"prepared"}'));
const answered = async () => (await app.inject('/')).json() as unknown;

test('FG-24 an answer that the build has prepared is sent', async () => {
  prepare(SDL);
  expect(await answered()).toEqual({ data: 'prepared' });
});

test('FG-24 without prepared answers the schema is described when it is asked for', async () => {
  expect(await answered()).toEqual(BY_THREAD);
});

test('FG-24 an answer that was prepared for another schema is not sent', async () => {
  prepare(Buffer.from('type Query { two: Int }'));
  expect(await answered()).toEqual(BY_THREAD);
});
