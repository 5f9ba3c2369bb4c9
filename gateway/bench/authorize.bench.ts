/** The door: what a request pays with a warm token cache, and what the first one pays. */
import type { IncomingMessage } from 'node:http';
import { authorizer } from '../smart/authorize.ts';
import { authorizationServer } from '../test/authorization-server.ts';
import { tenantsOf } from '../test/door.ts';
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
    const door = authorizer({ fetch, now: Date.now, baseUrl: 'http://localhost', guardedFetch: fetch });
    const ask = (token: string) =>
      door.authorize(tenant!, {
        url: '/',
        rawHeaders: ['authorization', `Bearer ${token}`],
      } as IncomingMessage);

    const cold: number[] = [];
    for (let i = 0; i < 200; i++) {
      set(`cold-${i}`);
      cold.push(await duration(() => ask(`cold-${i}`)));
    }
    const before = ehr.calls['introspect']!;
    const warm: number[] = [];
    for (let i = 0; i < 5000; i++) warm.push(await duration(() => ask('cold-0')));
    const calls = ehr.calls['introspect']! - before;
    return [
      { what: 'authorize, warm cache, p50', value: median(warm) * 1000, unit: 'µs' },
      { what: 'authorize, new token, loopback introspection, p50', value: median(cold), unit: 'ms' },
      { what: 'introspections for 5,000 requests with a warm cache', value: calls, unit: '', atMost: 0 },
    ];
  } finally {
    await ehr.close();
  }
}
