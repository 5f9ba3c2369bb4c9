import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/**
 * Starts a gateway over a record without images, as the tenant `t` that needs no token, before the tests of a file.
 * @param record NDJSON, as text: a decimal keeps its zeros
 * @returns what posts JSON to a path of the gateway
 */
export function recordGateway(record: string) {
  const directory = mkdtempSync(join(tmpdir(), 'record-'));
  let gateway: TestGateway;

  beforeAll(async () => {
    const patients = join(directory, 'record.ndjson');
    writeFileSync(patients, record);
    const authorization = { type: 'mock', disableAuthzChecks: true };
    const images = { type: 'folder', path: directory, lookup: 'all-studies-on-server' };
    const clinical = { type: 'store', path: patients };
    gateway = await buildTestGateway(() => ({ t: { authorization, clinical, images } }), {
      images: directory,
      patients,
    });
  }, 60_000);
  afterAll(async () => {
    await gateway?.close();
    rmSync(directory, { recursive: true });
  });

  return (url: string, payload: object) => gateway.app.inject({ method: 'POST', url, payload });
}
