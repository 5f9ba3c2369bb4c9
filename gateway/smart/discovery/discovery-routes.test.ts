import Fastify from 'fastify';
import { expect, test } from 'vitest';
import type { Fault } from '../../../schema/fault/fault.ts';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { discoveryRoutes } from './discovery-routes.ts';
import { smartConfigurationOf } from './smart-configuration.ts';

const { tenant } = parseTenant(
  {
    authorization: { type: 'mock', disableAuthzChecks: true },
    images: { type: 'folder', path: '.', lookup: 'all-studies-on-server' },
    clinical: { type: 'none' },
  },
  { key: 't', path: 't', dynamic: false, directory: '/', environment: {} },
);

test.each([
  [undefined, undefined],
  [{ enabled: false, maxDays: 3 }, undefined],
  [{ enabled: true }, { maxDays: 30, maxUses: 20, passcode: 'required' }],
  [
    { enabled: true, maxDays: 7, maxUses: 2, passcode: 'optional' },
    { maxDays: 7, maxUses: 2, passcode: 'optional' },
  ],
])('IA-36 with share %j the SMART configuration says %j of links', async (share, said) => {
  const file = {
    authorization: { type: 'embedded' },
    images: { type: 'folder', path: '.', lookup: 'all-studies-on-server' },
    ...(share && { share }),
  };
  const origin = { key: 't', path: 't', dynamic: false, directory: '/', environment: {} };
  const authorizer = { smartConfiguration: async () => ({ capabilities: [] }) };
  const found = await smartConfigurationOf(parseTenant(file, origin).tenant, authorizer, 'http://x');
  expect(found['share']).toEqual(said);
});

// R4 §3.1.0.9
test.each<[query: string, status: number, answer: string]>([
  ['', 200, 'CapabilityStatement'],
  ['?mode=full', 200, 'CapabilityStatement'],
  ['?mode=normative', 200, 'CapabilityStatement'],
  ['?mode=terminology', 501, 'There is no terminology service here'],
  ['?mode=full&mode=terminology', 501, 'There is no terminology service here'],
  ['?mode=brief', 400, 'mode takes full or normative'],
  ['?mode=', 400, 'mode takes full or normative'],
])('SM-4 metadata%s: %i', async (query, status, answer) => {
  const app = Fastify();
  app.decorateRequest('tenant', null as never);
  app.addHook('onRequest', async (request) => void (request.tenant = tenant));
  app.setErrorHandler((fault: Fault, _, reply) => reply.code(fault.status).send(fault.message));
  await app.register(
    discoveryRoutes({
      authorizer: { smartConfiguration: async () => ({ capabilities: [] }) },
      baseUrl: 'http://x',
      started: new Date(0),
      claims: async () => [],
    }),
  );
  const found = await app.inject({ url: `/fhir/metadata${query}` });
  expect(found.statusCode).toBe(status);
  expect(found.body).toContain(answer);
});
