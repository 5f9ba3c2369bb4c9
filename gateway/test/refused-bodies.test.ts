import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { metrics } from '../http/metrics.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

/**
 * Requests that are refused before their body is read, on a connection that stays open: the next request on it is answered,
 * or the connection is closed at once. It never hangs.
 */

let ehr: AuthorizationServer;
let gateway: TestGateway;
let busy: TestGateway;

beforeAll(async () => {
  ehr = await authorizationServer();
  const exp = Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set('record', { client_id: 'app', patient: 'p1', scope: 'patient/*.rs', exp });
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const start = async (limits: Parameters<typeof buildTestGateway>[3]) =>
    buildTestGateway(
      ({ patients }) => {
        const rest = { clinical: { type: 'store', path: patients }, mcp: { enabled: true } };
        const images = { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1' };
        const clients = [{ client_id: 'app', redirect_uris: ['http://localhost/app'] }];
        return {
          own: { authorization: { type: 'embedded', clients }, images, ...rest },
          smart: { authorization: smart, images, ...rest },
          slow: { authorization: smart, images, ...rest, limits: { requestsPerMinute: 1 } },
        };
      },
      undefined,
      undefined,
      { port: await freePort(), ...limits },
    );
  gateway = await start({});
  const load = { maxInFlight: 0, maxEventLoopDelay: Infinity };
  busy = await start({ limits: { load }, measured: metrics() });
}, 60_000);
afterAll(async () => {
  await Promise.all([gateway?.close(), busy?.close()]);
  await ehr?.close();
});

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';
const [SMALL, MIDDLE, LARGE] = [200, 20_000, 3_000_000];

interface Refused {
  path: string;
  /** Statuses by the size of the body. */
  statuses: readonly number[];
  type?: string;
  method?: string;
  token?: string;
  isBusy?: boolean;
}
const ROUTES: Record<string, Refused> = {
  token: { path: '/own/oauth/token', statuses: [400, 413], type: FORM },
  introspection: { path: '/own/oauth/introspect', statuses: [400, 413], type: FORM },
  revocation: { path: '/own/oauth/revoke', statuses: [400, 413], type: FORM },
  launch: { path: '/own/oauth/launch', statuses: [400, 413], type: JSON_TYPE },
  registration: { path: '/own/oauth/register', statuses: [400, 413], type: JSON_TYPE },
  interaction: { path: '/own/oauth/interaction/x', statuses: [400, 403, 413], type: FORM },
  'sign-out': { path: '/own/oauth/session/end/confirm', statuses: [400, 404, 413], type: FORM },
  'authorization by POST': { path: '/own/oauth/authorize', statuses: [404], type: FORM },
  'OAuth of another tenant': { path: '/smart/oauth/token', statuses: [404], type: FORM },
  'GraphQL without a token': { path: '/smart/graphql', statuses: [401] },
  'GraphQL with too large a body': { path: '/smart/graphql', statuses: [400, 413], token: 'record' },
  'GraphQL of another type': {
    path: '/smart/graphql',
    statuses: [400, 413, 415],
    token: 'record',
    type: 'image/png',
  },
  'MCP without a token': { path: '/smart/mcp', statuses: [401] },
  'MCP of another type': {
    path: '/smart/mcp',
    statuses: [406, 413, 415],
    token: 'record',
    type: 'text/plain',
  },
  'a FHIR search': { path: '/smart/fhir/Observation/_search', statuses: [401], type: FORM },
  'a FHIR batch': {
    path: '/smart/fhir',
    statuses: [400, 413],
    token: 'record',
    type: 'application/fhir+json',
  },
  'a FHIR create': {
    path: '/smart/fhir/Patient',
    statuses: [404, 405, 413],
    token: 'record',
    type: JSON_TYPE,
  },
  'STOW-RS': { path: '/smart/dicomweb/studies', statuses: [405], token: 'record', type: 'multipart/related' },
  'a link': { path: '/smart/wado/links', statuses: [401] },
  'a method that is not served': {
    path: '/smart/graphql',
    statuses: [400, 404, 405, 413],
    method: 'PUT',
    token: 'record',
  },
  'no such tenant': { path: '/nobody/graphql', statuses: [404] },
  'no such path': { path: '/a/b/c', statuses: [400, 404, 413] },
  'too many requests': { path: '/slow/graphql', statuses: [429], token: 'record' },
  'too much load': { path: '/smart/graphql', statuses: [503], token: 'record', isBusy: true },
};

/**
 * Sends a request and its whole body, then another request on the same connection. Gives all that comes back until the
 * connection is closed, which the second request asks for.
 */
function twoRequests(url: string, refused: Refused, { size, chunked }: { size: number; chunked: boolean }) {
  const { path, type = JSON_TYPE, method = 'POST', token } = refused;
  const { hostname, port } = new URL(url);
  const socket = createConnection(Number(port), hostname);
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: gateway',
    `Content-Type: ${type}`,
    ...(token ? [`Authorization: Bearer ${token}`] : []),
    chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${size}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const piece = 'x'.repeat(16_384);
  for (let sent = 0; sent < size; sent += piece.length) {
    const part = piece.slice(0, size - sent);
    socket.write(chunked ? `${part.length.toString(16)}\r\n${part}\r\n` : part);
  }
  if (chunked) socket.write('0\r\n\r\n');
  socket.write('GET /health/live HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  // A connection that is closed before the body is read is reset.
  socket.on('error', () => undefined);
  return new Promise<string>((done) => socket.once('close', () => done(received)));
}

const sizes: [title: string, size: number][] = [
  ['small', SMALL],
  ['of 20 kB', MIDDLE],
  ['of 3 MB', LARGE],
];

describe.each(Object.entries(ROUTES))('%s', (_name, refused) => {
  test.each(sizes)(
    'a body that is %s',
    async (_title, size) => {
      for (const chunked of [false, true]) {
        const { baseUrl } = refused.isBusy ? busy : gateway;
        if (refused.statuses.includes(429)) await twoRequests(baseUrl, refused, { size: 2, chunked });
        const received = await twoRequests(baseUrl, refused, { size, chunked });
        const [first, second] = [...received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) =>
          Number(status),
        );
        expect(refused.statuses).toContain(first);
        if (second === undefined) expect(received).toMatch(/\r\nconnection: close\r\n/i);
        else expect(second).toBe(200);
      }
    },
    60_000,
  );
});
