import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ALL_CHECKS } from '../checks/all.ts';
import { run } from '../run.ts';
import { startDemoServer, type DemoServer } from './demo-server.ts';
import { GRANT, TOKENS } from './faults/authorization.ts';
import { DICOM_JSON } from './faults/dicom-json.ts';
import { DISCOVERY } from './faults/discovery.ts';
import { RETRIEVALS } from './faults/retrievals.ts';
import { status } from './faults/row.ts';
import { STUDIES } from './faults/studies.ts';

const FAULTS = [DISCOVERY, TOKENS, GRANT, STUDIES, RETRIEVALS, DICOM_JSON].flat();

let server: DemoServer;
beforeAll(async () => {
  server = await startDemoServer();
});
afterAll(() => server.close());

/** Returns the checks that did not pass, with what they found. */
async function problems(only: readonly string[]): Promise<Record<string, string>> {
  const { results } = await run({ ...server.options, only });
  const bad = results.filter(({ status }) => status !== 'passed');
  return Object.fromEntries(
    bad.map(({ id, name, status, found }) => [`${id}/${name}`, `${status}: ${found}`]),
  );
}

test('our gateway passes every check, and none is skipped', async () => {
  expect(await problems([])).toEqual({});
});

test('the patient is learnt from what the token finds', async () => {
  const { results, conforms } = await run({ ...server.options, patient: undefined, only: ['IA-13'] });
  expect(conforms).toBe(true);
  expect(results.every(({ status }) => status === 'passed')).toBe(true);
});

test('a server that retrieves whole studies and nothing else can pass the checks of SMART Imaging Access', async () => {
  server.proxy.fault = status(/\/dicomweb\/(?!studies\/[\d.]+$)/, 404);
  try {
    expect(Object.keys(await problems(['SM', 'IA']))).toEqual(['IA-23/search-within-grant', 'IA-16/counts']);
  } finally {
    server.proxy.fault = {};
  }
});

describe('a fault of the server is found', () => {
  test.each(FAULTS)('$fault', async ({ only, found, ...fault }) => {
    server.proxy.fault = fault.plant(server.options);
    try {
      expect(Object.keys(await problems(only)).sort()).toEqual([...found].sort());
    } finally {
      server.proxy.fault = {};
    }
  });

  test('every check finds one of the faults', () => {
    const found = new Set(FAULTS.flatMap((row) => row.found));
    expect(ALL_CHECKS.map(({ id, name }) => `${id}/${name}`).filter((check) => !found.has(check))).toEqual(
      [],
    );
  });
});
