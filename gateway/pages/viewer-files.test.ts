import { fastify, type FastifyInstance } from 'fastify';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { SmartConfiguration } from '../smart/discovery/ehr-configuration.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { viewerConfiguration, type ViewerConfiguration } from './viewer-configuration.ts';
import { viewerFiles } from './viewer-files.ts';
import { timeAwake } from '../test/setup/processor-time.ts';

const { precompress } = (await import(new URL('../precompress.mjs', import.meta.url).href)) as {
  precompress(folders: string[], cache: string): Promise<number>;
};

const BASE = 'https://gateway.example.org/imaging';
const tenant = (key: string, authorization: object) =>
  ({ key, path: key, authorization, share: { enabled: false } }) as unknown as Tenant;
const own = tenant('demo', { type: 'embedded', modes: ['app-launch'] });
const mock = tenant('open', { type: 'mock' });
const tenants = { all: [own, mock] } as unknown as Tenants;
const discovered: SmartConfiguration = { issuer: 'https://a.example.org/</script><b>', capabilities: [] };
const smartConfiguration = vi.fn(async () => discovered);
const configured = viewerConfiguration(tenants, { smartConfiguration }, { baseUrl: BASE });
const of = (query: string) => configured(new URLSearchParams(query));

describe('the configuration in the page of the viewer', () => {
  test('says where the gateway is, which tenants there are, and how to sign in to the one of the address', async () => {
    const { smart, ...rest } = await of('tenant=open&study=1.2.3');
    expect(rest).toEqual({ base: `${BASE}/`, tenants: ['demo', 'open'], defaultTenant: 'demo' });
    expect(smart).toMatchObject({
      tenant: 'open',
      configuration: { capabilities: ['smart-imaging-access'] },
    });
  });

  test.each([
    ['', 'demo'],
    ['tenant=demo', 'demo'],
    [`iss=${BASE}/open/fhir/&launch=xyz`, 'open'],
    ['iss=https://elsewhere.example.org/open/fhir', undefined],
    ['tenant=none', undefined],
    ['tenant=dyn/eyJhIjoxfQ', undefined],
    ['tenant=__proto__', undefined],
  ])('for ?%s it is that of %s', async (query, key) => {
    expect((await of(query)).smart?.tenant).toBe(key);
  });

  test('says where people cannot add other servers', async () => {
    const alone = viewerConfiguration(tenants, { smartConfiguration }, { baseUrl: BASE, onlyOwn: true });
    expect(await alone(new URLSearchParams())).toMatchObject({ onlyOwn: true });
  });

  test('leaves the sign-in out when the EHR does not answer, or not at once: the viewer asks then', async () => {
    smartConfiguration.mockRejectedValueOnce(new Fault('unavailable', 'no EHR'));
    expect(await of('tenant=demo')).not.toHaveProperty('smart');
    smartConfiguration.mockReturnValueOnce(new Promise(() => undefined));
    const withoutIt = async () => expect(await of('tenant=demo')).not.toHaveProperty('smart');
    expect(await timeAwake(withoutIt)).toBeLessThan(2_000);
  });
});

describe('the files of the viewer', () => {
  const root = mkdtempSync(join(tmpdir(), 'viewer-'));
  const [folder, cache] = [join(root, 'viewer'), join(root, 'cache')];
  const script = 'export const a = 1;\n'.repeat(500);
  let app: FastifyInstance;
  const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

  beforeAll(async () => {
    mkdirSync(join(folder, 'assets'), { recursive: true });
    writeFileSync(join(folder, 'index.html'), '<html><head><title>T</title></head><body></body></html>');
    writeFileSync(join(folder, 'assets/a-Bx1.js'), script);
    writeFileSync(join(folder, 'assets/small-Bx2.js'), 'a');
    expect(await precompress([folder], cache)).toBe(2);
    app = fastify();
    await app.register(viewerFiles(folder, BASE, configured));
  });
  afterAll(async () => {
    await app.close();
    rmSync(root, { recursive: true });
  });

  test.each([
    ['br, gzip', 'br', (bytes: Buffer) => String(brotliDecompressSync(bytes))],
    ['gzip', 'gzip', (bytes: Buffer) => String(gunzipSync(bytes))],
    ['', undefined, String],
  ])('come as the build compressed them, for Accept-Encoding: %s', async (accepted, coding, plain) => {
    const answer = await get('/app/assets/a-Bx1.js', { 'accept-encoding': accepted });
    expect([answer.statusCode, answer.headers['content-encoding']]).toEqual([200, coding]);
    expect(plain(answer.rawPayload)).toBe(script);
    expect(answer.headers).toMatchObject({
      'content-type': expect.stringMatching(/javascript/),
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    });
    const etag = String(answer.headers['etag']);
    const again = await get('/app/assets/a-Bx1.js', { 'accept-encoding': accepted, 'if-none-match': etag });
    expect(again.statusCode).toBe(304);
  });

  test('have another tag in each coding, and no address of their own when compressed', async () => {
    const tags = await Promise.all(
      ['br', 'gzip', 'identity'].map(async (coding) => {
        const { headers } = await get('/app/assets/a-Bx1.js', { 'accept-encoding': coding });
        return headers['etag'];
      }),
    );
    expect(new Set(tags).size).toBe(3);
    for (const name of ['a-Bx1.js.br', 'a-Bx1.js.gz', 'none.js'])
      expect((await get(`/app/assets/${name}`)).statusCode).toBe(404);
    const small = await get('/app/assets/small-Bx2.js', { 'accept-encoding': 'br' });
    expect([small.body, small.headers['content-encoding']]).toEqual(['a', undefined]);
  });

  test('are compressed again only when they change; what nobody needs leaves the cache', async () => {
    expect(await precompress([folder], cache)).toBe(0);
    writeFileSync(join(folder, 'assets/a-Bx1.js'), `${script}//`);
    expect(await precompress([folder], cache)).toBe(2);
    writeFileSync(join(folder, 'assets/a-Bx1.js'), script);
    expect(await precompress([folder], cache)).toBe(2);
    expect(String(brotliDecompressSync(readFileSync(join(folder, 'assets/a-Bx1.js.br'))))).toBe(script);
  });

  test('the address of shared links leads to their page, also below a prefix, and is not kept', async () => {
    const { statusCode, headers } = await get('/share');
    expect([statusCode, headers.location, headers['cache-control']]).toEqual([302, 'app/shared', 'no-store']);
  });

  test.each(['/app/', '/app/?tenant=demo', '/app/record/1?tenant=demo'])(
    'and the page at %s has the configuration as data, which cannot end its element',
    async (url) => {
      const page = await get(url);
      expect(page.statusCode).toBe(200);
      const [, json] = /<script type="application\/json" id="viewer-configuration">(.*?)<\/script>/.exec(
        page.body,
      )!;
      const configuration = JSON.parse(json!) as ViewerConfiguration;
      expect(configuration.smart?.configuration.issuer).toBe(discovered.issuer);
      expect(page.body.match(/<\/script>/g)).toHaveLength(1);
      expect(page.headers).toMatchObject({ 'cache-control': 'no-cache', vary: 'accept-encoding' });
      const etag = String(page.headers['etag']);
      expect((await get(url, { 'if-none-match': etag })).statusCode).toBe(304);
      expect((await get('/app/?tenant=open', { 'if-none-match': etag })).statusCode).toBe(200);
    },
  );
});
