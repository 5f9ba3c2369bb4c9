import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { PATIENT, RECORD } from './setup/specification-record.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[];
}

/** Starts a gateway over the record of the FHIR GraphQL specification before the tests of a file. @returns what asks it */
export function specificationGateway() {
  const directory = mkdtempSync(join(tmpdir(), 'fhir-graphql-spec-'));
  let gateway: TestGateway;

  beforeAll(async () => {
    // As text: a decimal keeps its zeros.
    const patients = join(directory, 'record.ndjson');
    writeFileSync(patients, RECORD);
    const authorization = { type: 'mock', disableAuthzChecks: true };
    const images = { type: 'folder', path: directory, lookup: 'all-studies-on-server' };
    const clinical = { type: 'store', path: patients };
    gateway = await buildTestGateway(() => ({ t: { authorization, clinical, images } }), {
      images: directory,
      patients,
    });
  }, 60_000);
  afterAll(async () => {
    await gateway.close();
    rmSync(directory, { recursive: true });
  });

  return async (path: string, query: string, more: object = {}) => {
    const { statusCode, body } = await gateway.app.inject({
      method: 'POST',
      url: `/t/${path}`,
      payload: { query, ...more },
    });
    return { statusCode, body, ...(JSON.parse(body) as Result) };
  };
}

/** Writes an instance query for `/graphql`, where nothing is in scope. */
export const atRoot = (at: string, query: string) => query.replace(/^\{/, `{ ${at}(id: "example") {`) + ' }';

/** The names of the patient as `name { text given family }` gives them. */
export const NAMES = PATIENT.name.map(({ given, family }) => ({ text: null, given, family: family ?? null }));
