import { describe, expect, test } from 'vitest';
import { createAuthority } from './test/setup/certificates.ts';
import { readSettings, SettingsError } from './settings.ts';

const read = (env: Record<string, string>) => readSettings(env, '/srv');

test('an empty environment gives settings for a laptop', () => {
  expect(read({})).toEqual({
    port: 4000,
    host: '127.0.0.1',
    baseUrl: 'http://localhost:4000',
    tenantsDir: '/srv/gateway/tenants',
    tenantsInterval: 2,
    dataDir: '/srv/.data',
    sealingKeys: [],
    dimsePort: 30_104,
    dimseCacheBytes: 4096 * 1024 * 1024,
    exportBytes: 10 * 1024 ** 3,
    exportSeconds: 7200,
    viewerOnlyOwn: false,
    dynamicTenants: true,
    dynamicHosts: new Set(),
    mockAllowed: true,
    trustedProxies: [],
    logLevel: 'info',
    maxInFlight: 1000,
    maxEventLoopDelay: 2000,
    graphExecutor: 'compiled',
    slowOperation: 1000,
    workers: 1,
    shutdownDelaySeconds: 5,
  });
});

describe('variables set', () => {
  test.each<[string, Record<string, string>, Partial<ReturnType<typeof read>>]>([
    ['the default base URL from the port', { PORT: '5000' }, { baseUrl: 'http://localhost:5000' }],
    ['the base URL without a slash at the end', { BASE_URL: 'https://h/img/' }, { baseUrl: 'https://h/img' }],
    ['DW-16 the size of the DIMSE cache', { DIMSE_CACHE_MB: '1024' }, { dimseCacheBytes: 1024 ** 3 }],
    [
      'room and time for exports',
      { EXPORT_MB: '1', EXPORT_HOURS: '0.5' },
      { exportBytes: 1024 ** 2, exportSeconds: 1800 },
    ],
    ['a viewer of this gateway alone', { VIEWER_SERVERS: 'own' }, { viewerOnlyOwn: true }],
    ['SM-15 dynamic tenants off at a public base URL', { BASE_URL: 'https://h' }, { dynamicTenants: false }],
    [
      'SM-15 dynamic tenants on at a public base URL with DYN_TENANTS',
      { BASE_URL: 'https://h', DYN_TENANTS: 'on' },
      { dynamicTenants: true },
    ],
    ['SM-15 dynamic tenants off with DYN_TENANTS', { DYN_TENANTS: 'off' }, { dynamicTenants: false }],
    [
      'SM-15 dynamic tenants off at a name that only looks local',
      { BASE_URL: 'http://localhost.evil' },
      { dynamicTenants: false },
    ],
    ['SM-11 mock tenants off at a public address', { HOST: '0.0.0.0' }, { mockAllowed: false }],
    [
      'SM-11 mock tenants on at a public address with ALLOW_MOCK',
      { HOST: '0.0.0.0', ALLOW_MOCK: '1' },
      { mockAllowed: true },
    ],
    [
      'several sealing keys',
      { SEALING_KEY: `${'a'.repeat(32)}, ${'b'.repeat(40)}` },
      { sealingKeys: ['a'.repeat(32), 'b'.repeat(40)] },
    ],
    ['hosts of dynamic tenants', { DYN_ALLOWED_HOSTS: 'a, b:80' }, { dynamicHosts: new Set(['a', 'b:80']) }],
    [
      'limits of the load',
      { MAX_IN_FLIGHT: '50', MAX_EVENT_LOOP_DELAY_MS: '500', SLOW_OPERATION_MS: '0' },
      { maxInFlight: 50, maxEventLoopDelay: 500, slowOperation: 0 },
    ],
    ['the port of metrics', { METRICS_PORT: '9464' }, { metricsPort: 9464 }],
    [
      'traces: where to, under which name, and which part',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/', OTEL_TRACES_SAMPLER_ARG: '0.1' },
      { traces: { endpoint: 'http://collector:4318', serviceName: 'smart-imaging-gateway', ratio: 0.1 } },
    ],
    [
      'the processes of the subgraphs',
      { CLINICAL_URL: 'http://c:4001/', IMAGING_URL: 'https://i', SEALING_KEY: 'k'.repeat(32) },
      { split: { clinical: 'http://c:4001', imaging: 'https://i' } },
    ],
    ['nginx fetches images', { ACCEL: 'nginx', ACCEL_KEY: 'k'.repeat(32) }, { accelKey: 'k'.repeat(32) }],
    ['no delay of shutdown', { SHUTDOWN_DELAY_SECONDS: '0' }, { shutdownDelaySeconds: 0 }],
    [
      'trusted proxies',
      { TRUSTED_PROXIES: '10.0.0.0/8, ::1, 192.0.2.7' },
      { trustedProxies: ['10.0.0.0/8', '::1', '192.0.2.7'] },
    ],
    ['defaults for empty variables', { PORT: '', SEALING_KEY: '' }, { port: 4000, sealingKeys: [] }],
    [
      'absolute paths as given, relative ones below the package',
      { DATA_DIR: '/data', TENANTS_DIR: 't' },
      { dataDir: '/data', tenantsDir: '/srv/t' },
    ],
  ])('%s', (_title, env, expected) => {
    expect(read(env)).toMatchObject(expected);
  });
});

test('names all wrong variables at once, without their values', () => {
  const secret = 'short-secret';
  const env = {
    PORT: 'x',
    BASE_URL: 'ftp://h',
    SEALING_KEY: secret,
    LOG_LEVEL: 'loud',
    LOG_FORMAT: 'xml',
    DYN_TENANTS: 'yes',
    REDIS_URL: 'http://:short-secret@h',
    OPERATOR_KEY: 'short-secret',
    ALLOW_MOCK: 'true',
    METRICS_PORT: '0',
    SHUTDOWN_DELAY_SECONDS: '-1',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317',
    OTEL_TRACES_SAMPLER_ARG: '1.5',
  };
  expect(() => read(env)).toThrow(SettingsError);
  try {
    read(env);
  } catch (error) {
    const { message } = error as Error;
    for (const name of Object.keys(env)) expect(message).toContain(name);
    expect(message).not.toContain(secret);
  }
});

test.each(['proxy.example.org', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/', '/8', '::1/129', 'true'])(
  'refuses TRUSTED_PROXIES=%s',
  (TRUSTED_PROXIES) => {
    expect(() => read({ TRUSTED_PROXIES })).toThrow(/^TRUSTED_PROXIES must list IP addresses/);
  },
);

test.each([
  ['one without the other', { CLINICAL_URL: 'http://c' }, /are set together/],
  ['no key', { CLINICAL_URL: 'http://c', IMAGING_URL: 'http://i' }, /needs SEALING_KEY/],
  ['a path', { CLINICAL_URL: 'http://c/fhir', IMAGING_URL: 'http://i' }, /^CLINICAL_URL must have no path/],
])('refuses processes of subgraphs with %s', (_what, env, message) => {
  expect(() => read(env)).toThrow(message);
});

test.each([
  [{ ACCEL: 'apache', ACCEL_KEY: 'k'.repeat(32) }, /^ACCEL must be nginx, or not set$/],
  [{ ACCEL: 'nginx' }, /^ACCEL needs ACCEL_KEY, the same as in the configuration of nginx/],
  [{ ACCEL: 'nginx', ACCEL_KEY: 'short' }, /^ACCEL_KEY must have 32 characters or more/],
  [{ ACCEL: 'nginx', ACCEL_KEY: `'; ${'k'.repeat(32)}` }, /^ACCEL_KEY must have 32 characters or more/],
])('refuses %j', (env, message) => {
  expect(() => read(env)).toThrow(message);
});

test('ACCEL_KEY alone turns nothing on', () => {
  expect(read({ ACCEL_KEY: 'k'.repeat(32) }).accelKey).toBeUndefined();
});

test.each<[Record<string, string>, object]>([
  [{ HTTPS_PROXY: 'http://u:p@proxy:3128' }, { httpsProxy: 'http://u:p@proxy:3128', httpProxy: undefined }],
  [{ https_proxy: 'proxy:3128', HTTPS_PROXY: 'http://other' }, { httpsProxy: 'http://proxy:3128' }],
  [
    { http_proxy: 'https://proxy', no_proxy: '.local,10.0.0.0/8' },
    { httpProxy: 'https://proxy', noProxy: '.local,10.0.0.0/8' },
  ],
  [{ https_proxy: '', HTTPS_PROXY: 'proxy' }, { httpsProxy: 'http://proxy' }],
])('takes the proxies of %o', (env, expected) => {
  expect(read(env)).toMatchObject(expected);
});

test('refuses another kind of proxy, without its password', () => {
  const HTTPS_PROXY = 'socks5://user:hunter2@proxy';
  expect(() => read({ HTTPS_PROXY })).toThrow(/^HTTPS_PROXY must be an http or https URL$/);
});

test('refuses REDIS_URL without SEALING_KEY: gateways could not open what the others sealed', () => {
  const REDIS_URL = 'rediss://user:hunter2@redis:6380/1';
  expect(() => read({ REDIS_URL })).toThrow(/^REDIS_URL needs SEALING_KEY, the same for all gateways/);
  expect(() => read({ REDIS_URL })).not.toThrow(/hunter2/);
  expect(read({ REDIS_URL, SEALING_KEY: 'k'.repeat(32) })).toMatchObject({ redisUrl: REDIS_URL });
});

test('DW-16 reads certificates for deliveries, and refuses those that cannot be used', () => {
  const authority = createAuthority();
  try {
    const { certificate, key } = authority.issue('scp');
    const env = { DIMSE_TLS_CERT: certificate, DIMSE_TLS_KEY: key, DIMSE_TLS_CA: authority.ca };
    expect(read(env).dimseTls).toEqual({ certificate, key, ca: authority.ca });
    expect(() => read({ ...env, DIMSE_TLS_KEY: authority.ca })).toThrow(/^DIMSE_TLS_KEY: .* no private key/);
    expect(() => read({ ...env, DIMSE_TLS_CA: 'ca.pem' })).toThrow(
      'DIMSE_TLS_CA: /srv/ca.pem cannot be read (ENOENT)',
    );
    for (const name of ['DIMSE_TLS_CERT', 'DIMSE_TLS_KEY'])
      expect(() => read({ ...env, [name]: '' })).toThrow(
        'DIMSE_TLS_CERT and DIMSE_TLS_KEY are needed together',
      );
  } finally {
    authority.remove();
  }
});
