/** The transport alone, with a `fetch` that answers as told. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { patiently } from './patiently.ts';
import { retryAfter } from './retry-after.ts';
import { Trace, withoutSecrets } from './trace.ts';
import { Transport, type Credentials } from './transport.ts';
import { Trouble } from './trouble.ts';

const BASE = 'https://ehr.example/r4';
const JSON_TYPE = { 'content-type': 'application/fhir+json; charset=utf-8' };
const asked = { accept: 'application/fhir+json' };

/** A server whose token is renewed when it is refused. */
class Renewing implements Credentials {
  value = 'token-1';
  renewals = 0;
  succeeds = true;
  #renewal: Promise<boolean> | undefined;

  async token(): Promise<string> {
    return this.value;
  }

  renew(refused: string): Promise<boolean> {
    if (refused !== this.value) return Promise.resolve(true);
    return (this.#renewal ??= this.#renew());
  }

  async #renew(): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (this.succeeds) this.value = `token-${++this.renewals + 1}`;
    this.#renewal = undefined;
    return this.succeeds;
  }
}

/** Returns a `fetch` and the tokens that it was sent, by address. */
function answering(answer: (url: string, token: string | null) => Response | Promise<Response>) {
  const tokens: [url: string, token: string | null][] = [];
  const fetch = async (input: unknown, init?: RequestInit): Promise<Response> => {
    const url = String(input);
    const token = new Headers(init?.headers).get('authorization');
    tokens.push([url, token]);
    const aborted = new Promise<never>((_, reject) =>
      init?.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))),
    );
    return Promise.race([answer(url, token), aborted]);
  };
  return { tokens, fetch: fetch as typeof globalThis.fetch };
}

const ok = () => new Response('{}', { headers: JSON_TYPE });

describe('the token', () => {
  test('many requests that are refused together share one renewal', async () => {
    const credentials = new Renewing();
    const { fetch, tokens } = answering((_url, token) =>
      token === 'Bearer token-1' ? new Response(null, { status: 401 }) : ok(),
    );
    const transport = new Transport([BASE], { credentials, fetch });
    const many = Array.from({ length: 10 }, (_, index) => transport.json(`${BASE}/Patient/${index}`, asked));
    expect(await Promise.all(many)).toHaveLength(10);
    expect(credentials.renewals).toBe(1);
    expect(tokens).toHaveLength(20);
  });

  test('a refused renewal is the end of the session, and nothing is sent again', async () => {
    const credentials = new Renewing();
    credentials.succeeds = false;
    const { fetch, tokens } = answering(() => new Response(null, { status: 401 }));
    const transport = new Transport([BASE], { credentials, fetch });
    await expect(transport.json(`${BASE}/Patient/1`, asked)).rejects.toMatchObject({ kind: 'signed-out' });
    expect(tokens).toHaveLength(1);
  });

  test.each([
    ['the base itself', `${BASE}?a=b`, true],
    ['below the base', `${BASE}/Patient/1`, true],
    ['another base of the same host', 'https://ehr.example/r4-other/Patient', false],
    ['another host', 'https://elsewhere.example/r4/Patient', false],
    ['out of the base by dots', `${BASE}/../admin`, false],
    ['an Endpoint that a server has named', 'https://pacs.example/wado/studies/1', true],
    ['an Endpoint that others can read', 'http://plain.example/wado/studies/1', false],
    ['a host that begins with the name of a base', 'https://ehr.example.evil/r4/Patient', false],
  ])('goes to %s: %s %s', async (_what, url, isSent) => {
    const { fetch, tokens } = answering(ok);
    const transport = new Transport([BASE], { credentials: new Renewing(), fetch });
    transport.trust('https://pacs.example/wado/');
    transport.trust('http://plain.example/wado');
    transport.trust('no address');
    await transport.json(url, asked);
    expect(tokens[0]![1]).toBe(isSent ? 'Bearer token-1' : null);
  });
});

describe('an answer', () => {
  const transport = (answer: () => Response | Promise<Response>, options = {}) =>
    new Transport([BASE], { fetch: answering(answer).fetch, ...options });

  test('that is too large is damaged', async () => {
    const large = transport(() => new Response(new Uint8Array(2000)));
    await expect(large.send(`${BASE}/Binary/1`, { ...asked, most: 1000 })).rejects.toMatchObject({
      kind: 'damaged',
    });
  });

  const refusal = (message: string, status = 502) =>
    new Response(JSON.stringify({ error: 'bad_gateway', message }), { status });
  const LARGE =
    'The stored object is damaged. It has more than 100000 elements and values. If it is meant so, raise limits.objectElements of the tenant.';
  test.each([
    ['above the limit of the gateway', () => refusal(LARGE), 'too-large'],
    ['broken', () => refusal('The stored object is damaged. The file ends early.'), 'server'],
    ['refused without a reason', () => new Response(null, { status: 502 }), 'server'],
    ['named so by another failure', () => refusal(LARGE, 500), 'server'],
  ])('about an object that is %s', async (_what, answer, kind) => {
    const url = `${BASE}/studies/1/series/2/metadata`;
    await expect(transport(answer).json(url, asked)).rejects.toMatchObject({ kind });
  });

  test('that does not come for long is the network', async () => {
    const silent = transport(() => new Promise<never>(() => undefined), { silence: 20 });
    await expect(silent.send(`${BASE}/Binary/1`, asked)).rejects.toMatchObject({ kind: 'offline' });
  });

  test('that nobody waits for any more ends with the reason of the signal', async () => {
    const reason = new Error('elsewhere');
    const waiting = transport(() => new Promise<never>(() => undefined));
    const signal = AbortSignal.abort(reason);
    await expect(waiting.send(`${BASE}/Binary/1`, { ...asked, signal })).rejects.toBe(reason);
  });

  test('leaves no token, id of a patient or text of the server in an error or in the trace', async () => {
    const { fetch } = answering(() => new Response('Helen has a secret', { status: 500 }));
    const failing = new Transport([BASE], { credentials: new Renewing(), fetch });
    const error = await failing.json(`${BASE}/Patient/helen?name=Helen`, asked).catch((one: Trouble) => one);
    const { message, stack, cause } = error as Trouble;
    expect(message).toBe('Patient: the server answered 500');
    expect(`${stack} ${String(cause)} ${JSON.stringify(failing.trace.calls)}`).not.toMatch(/helen|token-1/i);
    expect(failing.trace.calls[0]).toMatchObject({ method: 'GET', status: 500, bytes: 18 });
  });
});

test.each([
  ['https://g.example/demo/fhir/Patient/12?name=X&name=Y', 'https://g.example/demo/fhir/Patient/…?name=…'],
  [`https://g.example/demo/wado/${'c'.repeat(20)}/studies/1.2`, 'https://g.example/demo/wado/…/studies/1.2'],
  [`https://g.example/dyn/abc/fhir/metadata`, 'https://g.example/dyn/…/fhir/metadata'],
  [`https://g.example/demo/${'x'.repeat(65)}`, 'https://g.example/demo/…'],
  [
    'https://g.example/demo/shared/c4p/fhir/ImagingStudy/7',
    'https://g.example/demo/shared/…/fhir/ImagingStudy/7',
  ],
  ['https://g.example/demo/shl/aB3/f/x9', 'https://g.example/demo/shl/…/…/…'],
  ['https://g.example/demo/share/s_9f', 'https://g.example/demo/share/…'],
  ['https://helen:secret@g.example:8443/fhir/metadata', 'https://g.example:8443/fhir/metadata'],
  ['http://localhost:4000/demo/graphql?token=t#token', 'http://localhost:4000/demo/graphql?token=…'],
])('SM-14 the trace shows %s as %s', (address, shown) => {
  expect(withoutSecrets(address)).toBe(shown);
});

test.each<[string, string | undefined, unknown]>([
  [
    'a query with ids',
    '{"operationName":"R","query":"query R($id: ID!) { a }","variables":{"id":"helen","most":9,"codes":["helen"]}}',
    { query: 'query R($id: ID!) { a }', variables: { id: '…', most: 9, codes: ['…'] } },
  ],
  ['a query alone', '{"query":"{ a }"}', { query: '{ a }', variables: {} }],
  ['a passcode', '{"studies":["1.2"],"passcode":"helen"}', undefined],
  ['a form', 'grant_type=refresh_token&refresh_token=helen', undefined],
  ['a query that is no text', '{"query":{"passcode":"helen"}}', undefined],
  ['a long body', JSON.stringify({ query: 'helen'.repeat(10_000) }), undefined],
  ['no body', undefined, undefined],
])('SM-14 of %s the trace keeps a query without ids, or nothing', (_what, body, expected) => {
  const call = new Trace().begin(BASE, { method: 'POST', headers: {}, hasToken: true, body });
  const { query, variables } = call.graphql ?? {};
  expect(
    variables === undefined ? undefined : { query, variables: JSON.parse(variables) as unknown },
  ).toEqual(expected);
  expect(JSON.stringify(call)).not.toContain('helen');
});

test('the trace keeps the last 500 calls, each with its number', () => {
  const trace = new Trace();
  for (let call = 0; call < 600; call++) trace.begin(BASE, { method: 'GET', headers: {}, hasToken: false });
  expect([trace.calls.length, trace.calls[0]!.number, trace.calls.at(-1)!.number]).toEqual([500, 101, 600]);
});

test.each([
  [null, undefined],
  ['7', 7000],
  ['0', 0],
  ['-3', undefined],
  ['soon', undefined],
  ['99999999', 300_000],
  ['Thu, 26 Nov 2026 12:00:10 GMT', 10_000],
  ['Thu, 26 Nov 2026 11:00:00 GMT', 0],
])('RFC 9110 §10.2.3 Retry-After %s is %s ms', (value, expected) => {
  expect(retryAfter(value, Date.parse('2026-11-26T12:00:00Z'))).toBe(expected);
});

describe('patience', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Fails as told, then succeeds. */
  function failing(...troubles: Trouble[]) {
    return vi.fn(async () => {
      const trouble = troubles.shift();
      if (trouble) throw trouble;
      return 'done';
    });
  }
  const busy = (retryAfter?: number) =>
    new Trouble('busy', 'busy', { ...(retryAfter !== undefined && { retryAfter }) });

  test('waits as told, or longer each time, and says so', async () => {
    const run = failing(busy(7000), busy(), busy());
    const waits: number[] = [];
    const done = patiently(run, { onWait: (_trouble, milliseconds) => waits.push(milliseconds) });
    await vi.runAllTimersAsync();
    expect(await done).toBe('done');
    expect(waits).toEqual([7000, 2000, 4000]);
  });

  test.each(['refused', 'not-found', 'server', 'damaged', 'signed-out'] as const)(
    'has none for %s',
    async (kind) => {
      const run = failing(new Trouble(kind, kind));
      await expect(patiently(run)).rejects.toMatchObject({ kind });
      expect(run).toHaveBeenCalledTimes(1);
    },
  );

  test('ends after some attempts, and with the signal', async () => {
    const always = vi.fn(async () => Promise.reject(busy()));
    const ended = expect(patiently(always, { attempts: 3 })).rejects.toMatchObject({ kind: 'busy' });
    await vi.runAllTimersAsync();
    await ended;
    expect(always).toHaveBeenCalledTimes(3);

    const leaving = new AbortController();
    const left = expect(patiently(failing(busy(60_000)), { signal: leaving.signal })).rejects.toThrow(
      'elsewhere',
    );
    await vi.advanceTimersByTimeAsync(10);
    leaving.abort(new Error('elsewhere'));
    await left;
    expect(vi.getTimerCount()).toBe(0);
  });
});
