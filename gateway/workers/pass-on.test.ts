import { expect, test } from 'vitest';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import { needsFirstProcess } from './pass-on.ts';

const web = { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1/' };
const mock = { type: 'mock', disableAuthzChecks: true };
const embedded = { type: 'embedded', clients: [] };
const pacs = { type: 'dicom-dimse', lookup: 'all-studies-on-server', endpoint: 'dimse://127.0.0.1:104' };

type Route = { stateIn?: 'process' | 'store'; params?: object };

test.each<[what: string, tenant: object, route: Route, alone: boolean, shared: boolean]>([
  ['a request without state', {}, {}, false, false],
  ['an export', {}, { stateIn: 'process' }, true, true],
  ['a link', {}, { stateIn: 'store' }, true, false],
  ['a capability', {}, { params: { capability: 'sealed' } }, true, false],
  ['a tenant of our own authorization server', { authorization: embedded }, {}, true, false],
  ['a tenant whose requests are counted', { limits: { tenantRequestsPerMinute: 9 } }, {}, true, false],
  ['a tenant with a PACS', { images: pacs }, {}, true, true],
])('%s is for the first process', (_what, more, { params = {}, ...config }, alone, shared) => {
  const file = { authorization: mock, images: web, ...more };
  const origin = { key: 't', path: 't', dynamic: false, directory: '/', environment: {} };
  const request = { tenant: parseTenant(file, origin).tenant, params, routeOptions: { config } } as never;
  expect(needsFirstProcess(request, false)).toBe(alone);
  expect(needsFirstProcess(request, true)).toBe(shared);
});
