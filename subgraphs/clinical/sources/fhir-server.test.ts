/** Faults that a caller gets from a FHIR server that misbehaves (FG-10), with a real listener. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { Agent } from 'undici';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { RequestSource } from './request-source.ts';
import { FhirServer } from './fhir-server.ts';
import type { FhirHttpOptions } from './fhir-server/http.ts';
import { FhirServersShared } from './fhir-server/shared.ts';

let server: Server | undefined;
afterEach(() => server?.closeAllConnections());
afterEach(() => void server?.close());

async function listen(listener: RequestListener): Promise<string> {
  server = createServer((request, response) => {
    if (request.url === '/fhir/metadata') return void response.writeHead(404).end();
    listener(request, response);
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/fhir`;
}

const json = (status: number, body: unknown, headers = {}): RequestListener => {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/fhir+json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
};

const shared = new FhirServersShared();
afterAll(() => shared.close());
const open = (options: FhirHttpOptions) => new FhirServer(options, shared);

const search = (base: string, signal?: AbortSignal) =>
  open({ base, timeout: 300 }).search('Patient', { params: [], count: 10 }, signal);

describe('faults of the FHIR server', () => {
  const cases: [what: string, listener: RequestListener, code: string, status: number][] = [
    ['401', json(401, {}), 'invalid_token', 401],
    ['403', json(403, {}), 'forbidden', 403],
    ['400', json(400, {}), 'invalid_request', 400],
    ['429', json(429, {}, { 'retry-after': '7' }), 'too_many_requests', 429],
    ['500', json(500, {}), 'bad_gateway', 502],
    ['502 of a proxy', json(502, {}), 'unavailable', 503],
    ['503', json(503, {}), 'unavailable', 503],
    ['504 of a proxy', json(504, {}), 'unavailable', 503],
    ['a redirect', json(302, {}, { location: 'http://169.254.169.254/' }), 'bad_gateway', 502],
    ['HTML', json(200, '<html>'), 'bad_gateway', 502],
    [
      'millions of values',
      json(200, `{"resourceType":"Bundle","entry":[${'[],'.repeat(600_000)}[]]}`),
      'bad_gateway',
      502,
    ],
    ['another resource', json(200, { resourceType: 'Patient' }), 'bad_gateway', 502],
    ['no answer', () => {}, 'unavailable', 503],
    ['a cut connection', (request) => request.socket.destroy(), 'unavailable', 503],
    [
      'an answer that stops midway',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"resourceType":');
        setTimeout(() => response.destroy(), 20);
      },
      'unavailable',
      503,
    ],
    [
      'a next page at another server',
      json(200, { resourceType: 'Bundle', link: [{ relation: 'next', url: 'http://evil.example/x?a=1' }] }),
      'bad_gateway',
      502,
    ],
  ];
  it.each(cases)('FG-10 answers with a fault for %s', async (_what, listener, code, status) => {
    const base = await listen(listener);
    await expect(search(base)).rejects.toMatchObject({
      code,
      status,
      details: { service: 'clinical', ...(status === 503 && { retryAfter: 5 }) },
    });
  });

  it('FG-10 no server becomes unavailable', async () => {
    await expect(search('http://127.0.0.1:9/fhir')).rejects.toMatchObject({
      code: 'unavailable',
      details: { retryAfter: 5 },
    });
  });

  it('passes on Retry-After', async () => {
    const base = await listen(json(503, {}, { 'retry-after': '7' }));
    await expect(search(base)).rejects.toMatchObject({ details: { retryAfter: 7 } });
  });

  it.each([404, 410])('a read answered with %s finds nothing, and does not fail', async (status) => {
    const base = await listen(json(status, {}));
    expect(await open({ base }).read('Patient', ['gone'])).toEqual([]);
  });

  it('stops when the request is aborted', async () => {
    const controller = new AbortController();
    const base = await listen(() => controller.abort(new Error('abandoned')));
    await expect(search(base, controller.signal)).rejects.toThrow('abandoned');
  });
});

describe('FG-10 pages without end', () => {
  const circle = ['a', 'b', 'a'];
  const endless = Array.from({ length: 1_200 }, (_, index) => `p${index}`);
  it.each([
    ['a page that leads to itself', ['a', 'a']],
    ['two pages that lead to each other', circle],
    ['always new pages', endless],
  ])('refuses %s', async (_what, pages) => {
    let asked = 0;
    const base = await listen((request, response) => {
      asked++;
      const page = new URL(request.url ?? '', 'http://x').searchParams.get('page');
      const next = pages[pages.indexOf(page ?? '') + 1];
      json(200, { resourceType: 'Bundle', link: [{ relation: 'next', url: `Patient?page=${next}` }] })(
        request,
        response,
      );
    });
    const server = open({ base });
    const search = new RequestSource(async () => server, undefined).gather('Patient', {
      params: [],
      count: 10,
    });
    const says = { code: 'bad_gateway', message: expect.stringMatching(/circle|1000 pages/) };
    await expect(search).rejects.toMatchObject(says);
    await expect(server.read('Patient', ['a', 'b'])).rejects.toMatchObject(says);
    expect(asked).toBeLessThan(2_010);
  });
});

describe('requests to the server', () => {
  it('FG-10 repeats a request on a new connection when an idle one was closed', async () => {
    const used = new WeakSet<object>();
    let lost = 0;
    const base = await listen((request, response) => {
      if (used.has(request.socket)) return void (lost++, request.socket.destroy());
      used.add(request.socket);
      json(200, { resourceType: 'Bundle' })(request, response);
    });
    const dispatcher = new Agent({ connections: 1 });
    const server = open({ base, dispatcher });
    for (let i = 0; i < 3; i++) {
      expect((await server.search('Patient', { params: [], count: 10 })).resources).toEqual([]);
    }
    await dispatcher.destroy();
    expect(lost).toBeGreaterThan(0);
  });

  it('SM-17 sends the caller’s token and accepts FHIR JSON', async () => {
    let headers: Record<string, unknown> = {};
    const base = await listen((request, response) => {
      headers = request.headers;
      json(200, { resourceType: 'Bundle' })(request, response);
    });
    await open({ base, token: 'secret' }).search('Patient', { params: [], count: 1 });
    expect(headers).toMatchObject({ authorization: 'Bearer secret', accept: 'application/fhir+json' });
  });

  it('FG-6 reads many ids with few requests of limited length', async () => {
    const urls: string[] = [];
    const ids = Array.from({ length: 200 }, (_, index) => `patient-${index}-${'x'.repeat(20)}`);
    const base = await listen((request, response) => {
      urls.push(request.url ?? '');
      const asked = new URL(request.url ?? '', 'http://x').searchParams.get('_id')!.split(',');
      const entry = asked.map((id) => ({ resource: { resourceType: 'Patient', id } }));
      json(200, { resourceType: 'Bundle', entry })(request, response);
    });
    expect(await open({ base }).read('Patient', ids)).toHaveLength(200);
    expect(urls.length).toBeLessThan(8);
    expect(Math.max(...urls.map(({ length }) => length))).toBeLessThan(2_000);
  });

  it('reads one by one when the server does not search by _id', async () => {
    const base = await listen((request, response) => {
      const id = /Patient\/(\w+)$/.exec(request.url ?? '')?.[1];
      json(id ? 200 : 400, { resourceType: 'Patient', id })(request, response);
    });
    const found = await open({ base }).read('Patient', ['a', 'b']);
    expect(found.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it.each([[['..']], [['.']], [['a/b']], [['..', '.']]])(
    'sends no request for %j, which is no id',
    async (ids) => {
      const urls: string[] = [];
      const base = await listen((request, response) => {
        urls.push(request.url ?? '');
        json(200, { resourceType: 'Patient', id: ids[0] })(request, response);
      });
      expect(await open({ base }).read('Patient', ids)).toEqual([]);
      expect(urls).toEqual([]);
    },
  );

  it('returns only matches: no includes, no outcomes, no other types', async () => {
    const entry = [
      { resource: { resourceType: 'Patient', id: 'a' }, search: { mode: 'match' } },
      { resource: { resourceType: 'Patient', id: 'b' }, search: { mode: 'include' } },
      { resource: { resourceType: 'OperationOutcome' }, search: { mode: 'outcome' } },
      { resource: { resourceType: 'Condition', id: 'c' } },
    ];
    const base = await listen(json(200, { resourceType: 'Bundle', entry }));
    expect((await search(base)).resources).toEqual([{ resourceType: 'Patient', id: 'a' }]);
  });

  it('makes references to the same server relative, and no others', async () => {
    const base = await listen((request, response) => {
      const own = `http://${request.headers.host}/fhir/Patient/1`;
      const resource = { resourceType: 'Patient', id: 'a', link: [{ other: { reference: own } }] };
      Object.assign(resource, {
        managingOrganization: { reference: 'https://other.example/fhir/Organization/1' },
      });
      json(200, { resourceType: 'Bundle', entry: [{ resource }] })(request, response);
    });
    expect((await search(base)).resources[0]).toMatchObject({
      link: [{ other: { reference: 'Patient/1' } }],
      managingOrganization: { reference: 'https://other.example/fhir/Organization/1' },
    });
  });
});
