import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { logFault } from '../../schema/fault/log-fault.ts';
import { logger } from '../http/logger.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { namingCaller } from '../smart/token/caller.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/** An error of this server leaves its cause in the log, and a refusal before there is an Access names its caller (IA-30). */

let ehr: AuthorizationServer;
let gateway: TestGateway;
const events: AuditEvent[] = [];

beforeAll(async () => {
  ehr = await authorizationServer();
  gateway = await buildTestGateway(
    ({ images, patients }) => ({
      smart: {
        authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
      },
    }),
    undefined,
    (_tenant, event) => events.push(event),
  );
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const known = { client_id: 'app', sub: 'somebody', exp };
  ehr.tokens.set('short', { ...known, scope: 'openid', patient: DEMO_PATIENT });
  ehr.tokens.set('nobody', { ...known, scope: 'patient/*.rs', patient: 'nobody' });
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr.close();
});
beforeEach(() => {
  events.length = 0;
});

describe.each(['fhir/Condition', 'dicomweb/studies', 'graphql?query=%7B__typename%7D'])('%s', (path) => {
  const headers = path.startsWith('graphql') ? { 'apollo-require-preflight': '1' } : {};

  test.each([
    ['too few scopes', 'short', 403],
    ['a patient whom the EHR does not have', 'nobody', 403],
  ])('IA-30 a refusal for %s names client and user', async (_what, token, status) => {
    const { statusCode } = await gateway.app.inject({
      url: `/smart/${path}`,
      headers: { ...headers, authorization: `Bearer ${token}` },
    });
    expect(statusCode).toBe(status);
    expect(events).toMatchObject([{ client: 'app', user: 'somebody', outcome: { kind: 'denied' } }]);
    expect(JSON.stringify(events[0])).not.toContain('caller');
  });
});

test('IA-30 an error of this server, too, names the caller of a token that was read', () => {
  const cause = new TypeError('the cause');
  const fault = namingCaller(cause, { client: 'app' });
  expect(fault).toMatchObject({ code: 'internal', cause, details: { caller: { client: 'app' } } });
});

test.each<[string, unknown, object]>([
  ['an error', new Error('the cause'), { type: 'Error', message: 'the cause' }],
  ['an object', { secret: 'Smith' }, { type: 'Object' }],
  ['a number', 7, { type: 'Number' }],
  ['nothing', null, {}],
])(
  'a cause that is %s leaves something in the log, and no content of unknown objects',
  (_what, cause, logged) => {
    const written: string[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk.toString());
        done();
      },
    });
    logFault(logger('info', sink), new Fault('internal', 'hidden', { cause }), {}, 'a request failed');
    const { err } = JSON.parse(written.join('')) as { err: object };
    expect(err).toMatchObject(logged);
    expect(written.join('')).not.toContain('Smith');
  },
);
