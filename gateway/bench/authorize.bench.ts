/** Authorization: what a request pays with a warm token cache, and what the first one pays. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { authorizer } from '../smart/authorize.ts';
import { authorizationServer } from '../test/authorization-server.ts';
import { tenantsOf } from '../test/gateway-alone.ts';
import { duration, median, type Figure } from './measure.ts';

export async function bench(): Promise<Figure[]> {
  const ehr = await authorizationServer();
  try {
    const [tenant] = tenantsOf({
      t: {
        authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
        images: { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://127.0.0.1:9' },
      },
    }).all;
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const set = (token: string) => ehr.tokens.set(token, { patient: 'p1', scope: 'patient/*.rs', exp });
    ehr.patients.set('p1', { resourceType: 'Patient', id: 'p1', identifier: [{ value: 'x' }] });
    const authorization = authorizer({
      fetch: () => fetch,
      now: Date.now,
      baseUrl: 'http://localhost',
    });
    const ask = (token: string) => authorization.authorize(tenant!, token);

    const cold: number[] = [];
    for (let i = 0; i < 200; i++) {
      set(`cold-${i}`);
      cold.push(await duration(() => ask(`cold-${i}`)));
    }
    const before = ehr.calls['introspect']!;
    const warm: number[] = [];
    for (let i = 0; i < 5000; i++) warm.push(await duration(() => ask('cold-0')));
    const calls = ehr.calls['introspect']! - before;

    set('sought');
    const unknown = ehr.calls['introspect']!;
    await Promise.all(Array.from({ length: 1000 }, () => ask('sought')));
    const together = ehr.calls['introspect']! - unknown;

    setFlagsFromString('--expose_gc');
    const gc = runInNewContext('gc') as () => void;
    for (let i = 0; i < 10_000; i++) set(`many-${i}`);
    gc();
    const empty = process.memoryUsage().heapUsed;
    for (let i = 0; i < 10_000; i++) await ask(`many-${i}`);
    gc();
    const held = (process.memoryUsage().heapUsed - empty) / 1e6;
    return [
      { what: 'authorize, warm cache, p50', value: median(warm) * 1000, unit: 'µs', atMost: 300 },
      { what: 'authorize, new token, loopback introspection, p50', value: median(cold), unit: 'ms' },
      { what: 'introspections for 5,000 requests with a warm cache', value: calls, unit: '', atMost: 0 },
      { what: 'introspections for 1,000 first requests at once', value: together, unit: '', atMost: 1 },
      { what: '10,000 tokens, memory', value: held, unit: 'MB', atMost: 20 },
    ];
  } finally {
    await ehr.close();
  }
}
