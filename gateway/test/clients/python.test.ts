import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { DEMO_PATIENT } from '../../pages/first-request.ts';
import { LONG } from '../setup/long.ts';
import { ensureInstalled } from '../setup/parts.ts';
import { testAbilities } from './abilities.ts';
import { startDemoGateway, type DemoGateway } from './demo-gateway.ts';

/** Debian's Python and its packages, in the long run only: they are larger than all other parts together. */
const PARTS = {
  'python3-requests': '/usr/lib/python3/dist-packages/requests/__init__.py',
  'python3-pandas': '/usr/lib/python3/dist-packages/pandas/__init__.py',
};

describe.runIf(LONG)('an analyst with Python', () => {
  let gateway: DemoGateway;
  let found: Record<string, unknown>;
  beforeAll(async () => {
    ensureInstalled(PARTS);
    gateway = await startDemoGateway();
    const { id, secret } = gateway.analyst;
    const program = join(import.meta.dirname, 'analyst.py');
    const run = promisify(execFile)('/usr/bin/python3', [program, gateway.tenant, id, secret, DEMO_PATIENT]);
    found = JSON.parse((await run).stdout) as Record<string, unknown>;
  }, 600_000);
  afterAll(() => gateway?.close());

  const is = (ability: string, value: unknown) => async () => expect(found[ability]).toEqual(value);
  const several = expect.toSatisfy((number: number) => number > 0) as unknown;
  testAbilities('Python: requests, pandas', {
    'finds the endpoints for sign-in': async () =>
      expect(found['finds the endpoints for sign-in']).toBe(`${gateway.tenant}/oauth/token`),
    'gets a token by client credentials': is('gets a token by client credentials', 'Bearer'),
    'reads the CapabilityStatement': is('reads the CapabilityStatement', 'CapabilityStatement'),
    'reads a resource': is('reads a resource', DEMO_PATIENT),
    searches: is('searches', several),
    'searches by POST': async () => expect(found['searches by POST']).toBe(found['searches']),
    'follows pages': is('follows pages', several),
    'searches a compartment': is('searches a compartment', several),
    'includes referenced resources': is('includes referenced resources', 1),
    'finds images (ImagingStudy)': is('finds images (ImagingStudy)', several),
    'reads everything of a patient': is(
      'reads everything of a patient',
      expect.arrayContaining(['Patient', 'Condition', 'ImagingStudy', 'Endpoint']),
    ),
    'sends a batch': is('sends a batch', DEMO_PATIENT),
    'queries by GraphQL': is('queries by GraphQL', several),
    'exports in bulk': is('exports in bulk', several),
    'makes a table of observations': is(
      'makes a table of observations',
      expect.objectContaining({ [`Patient/${DEMO_PATIENT}`]: several }),
    ),
  });
});
