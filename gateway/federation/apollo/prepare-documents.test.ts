import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { trustedManifest } from '../../../schema/graphql/trusted-manifest.ts';
import { RequestEnd } from '../../../schema/process/request-end.ts';
import { DEFAULT_LIMITS } from '../document/limits.ts';
import { logger } from '../../http/logger.ts';
import { standInClinical, standInImaging } from '../../test/stand-in-subgraphs.ts';
import { Operation } from '../executor/operation.ts';
import { BYTES_OF_CHARACTER, KEPT_BYTES, Operations } from '../executor/operations.ts';
import { federatedServer, type FederatedServer } from './supergraph.ts';

const file = (name: string) => readFileSync(new URL(`../../../schema/${name}`, import.meta.url));
const own = trustedManifest.parse(JSON.parse(file('trusted-documents.json').toString()));
let server: FederatedServer;

beforeAll(async () => {
  server = await federatedServer({
    supergraphSdl: file('supergraph.graphql'),
    apiSdl: file('api.graphql'),
    subgraphs: { clinical: standInClinical(), imaging: standInImaging() },
    limits: DEFAULT_LIMITS,
    log: logger('silent'),
    persisted: undefined as never,
  });
}, 30_000);
afterAll(() => server.stop());

test('FG-13 every document of the pages and tools is valid and compiled before its first request', async () => {
  expect(await server.prepare(own.values())).toBe(own.size);
  expect([...own.values()].filter((text) => server.document(text))).toHaveLength(own.size);
});

test('a document that is prepared is neither parsed nor compiled by its first request', async () => {
  const text = 'query Prepared { Patient(id: "p1") { id } }';
  await server.prepare([text]);
  const document = server.document(text);
  const taken = vi.spyOn(Operations.prototype, 'of');
  const { form } = Operation.prototype;
  const kept = vi.spyOn(Operation.prototype, 'form').mockImplementation(function (this: Operation, key) {
    return form.call(this, key, () => expect.unreachable('it is compiled'));
  });
  const access: Access = {
    tenant: 't',
    permissions: parseScopes('patient/*.rs'),
    expires: Date.now() / 1000 + 60,
    patients: [{ id: 'p1', identity: { id: 'p1', identifier: [] } }],
  };
  const scope = {
    tenant: { authorization: {}, graphql: { trustedDocuments: 'off' } },
    access,
    cores: new Map(),
    log: logger('silent'),
    over: new RequestEnd(),
    budget: new AnswerBudget(DEFAULT_LIMITS.cost),
    fhir: false,
  };
  const { data } = await server.execute(text, {}, scope as never);
  expect(data).toEqual({ Patient: { id: 'p1' } });
  expect(document).toBeDefined();
  for (const [operation] of taken.mock.calls) expect(operation.document).toBe(document);
  expect(kept).toHaveBeenCalledOnce();
});

test('documents that are not valid are left out, and half of the memory is left to requests', async () => {
  expect(await server.prepare(['{', '{ nothing }', '{ birthDate }'])).toBe(0);
  const long = `{ Patient(id: "${'x'.repeat(KEPT_BYTES / BYTES_OF_CHARACTER / 5)}") { id } }`;
  expect(await server.prepare(Array.from({ length: 4 }, (_, at) => `${long} # ${at}`))).toBe(3);
});
