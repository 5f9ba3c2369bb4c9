import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface VendorServer {
  fhirBaseUrl: string;
  /** The introspection response for each token. */
  tokens: Map<string, Record<string, unknown>>;
  /** The tokens that may read `Patient/{id}`, by patient. */
  readers: Map<string, Set<string>>;
  /** The tokens to which a search shows a patient whom they may not read. */
  finders: Map<string, Set<string>>;
  /** Method, path and authorization of every request. */
  seen: string[];
  up: boolean;
  close(): Promise<void>;
}

export const SECRET = 's3cr+t:/ä';
const OWN_TOKEN = 'the-gateways-own';

/**
 * Starts an EHR with the peculiarities of a vendor, on a loopback port. `epic`: discovery names no introspection
 * endpoint; it is beside the token endpoint and requires a bearer token of the gateway; the patient is the URL in
 * `sub`. `meditech`: introspection requires the client secret, and its response names no patient; there are no
 * backend tokens. Patients have the number `MRN-{id}`.
 */
export async function vendorServer(kind: 'epic' | 'meditech'): Promise<VendorServer> {
  const server = createServer((request, response) => {
    void answer(request).then(([status, json]) => {
      if (!self.up) return void response.destroy();
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const self: VendorServer = {
    fhirBaseUrl: `${url}/api/FHIR/R4`,
    tokens: new Map(),
    readers: new Map(),
    finders: new Map(),
    seen: [],
    up: true,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };

  async function answer(request: IncomingMessage): Promise<[number, object]> {
    const form = new URLSearchParams(await text(request));
    const { authorization = '' } = request.headers;
    self.seen.push(`${request.method} ${request.url} ${authorization}`);
    if (request.url === '/api/FHIR/R4/.well-known/smart-configuration') {
      const meditech = kind === 'meditech' && { introspection_endpoint: `${url}/oauth2/introspect` };
      const capabilities = ['launch-standalone', 'client-public'];
      return [200, { token_endpoint: `${url}/oauth2/token`, capabilities, ...meditech }];
    }
    if (request.url === '/oauth2/token' && kind === 'epic') {
      return [200, { access_token: OWN_TOKEN, expires_in: 3600 }];
    }
    if (request.url === '/oauth2/introspect') {
      const pair = `imaging:${encodeURIComponent(SECRET)}`;
      const wanted =
        kind === 'epic' ? `Bearer ${OWN_TOKEN}` : `Basic ${Buffer.from(pair).toString('base64')}`;
      if (authorization !== wanted) return [401, {}];
      return [200, self.tokens.get(form.get('token') ?? '') ?? { active: false }];
    }
    const token = authorization.replace('Bearer ', '');
    const readable = (id: string) =>
      (self.readers.get(id)?.has(token) ?? false) || (kind === 'epic' && token === OWN_TOKEN);
    const type = { text: kind === 'epic' ? 'EPIC' : 'MR' };
    const patient = (id: string) => ({
      resourceType: 'Patient',
      id,
      identifier: [{ type, value: `MRN-${id}` }],
    });
    const identifier = /\/Patient\?identifier=(.+)$/.exec(request.url!)?.[1];
    if (identifier !== undefined) {
      const [, id = ''] = /^MRN-(.+)$/.exec(decodeURIComponent(identifier)) ?? [];
      const isFound = readable(id) || self.finders.get(id)?.has(token);
      const entry = isFound ? [{ resource: patient(id) }] : [];
      return [200, { resourceType: 'Bundle', type: 'searchset', entry }];
    }
    const id = /^\/api\/FHIR\/R4\/Patient\/([^/?]+)$/.exec(request.url!)?.[1];
    if (id === undefined) return [404, {}];
    return readable(id) ? [200, patient(id)] : [403, {}];
  }
  return self;
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
