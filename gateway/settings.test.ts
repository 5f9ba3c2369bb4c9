import { describe, expect, test } from 'vitest';
import { readSettings, SettingsError } from './settings.ts';

const read = (env: Record<string, string>) => readSettings(env, '/srv');

test('nothing set: a laptop', () => {
  expect(read({})).toEqual({
    port: 4000,
    host: '127.0.0.1',
    baseUrl: 'http://localhost:4000',
    tenantsDir: '/srv/gateway/tenants',
    dataDir: '/srv/.data',
    sealingKeys: [],
    dimsePort: 30_104,
    dimseCacheBytes: 4096 * 1024 * 1024,
    dynamicTenants: true,
    dynamicHosts: new Set(),
    mockAllowed: true,
    trustedProxies: [],
    logLevel: 'info',
    shutdownDelaySeconds: 5,
  });
});

describe('what follows from what', () => {
  test.each<[string, Record<string, string>, Partial<ReturnType<typeof read>>]>([
    ['the port is in the base', { PORT: '5000' }, { baseUrl: 'http://localhost:5000' }],
    ['a slash at the end goes', { BASE_URL: 'https://h/img/' }, { baseUrl: 'https://h/img' }],
    ['DW-16 a cache of a gigabyte', { DIMSE_CACHE_MB: '1024' }, { dimseCacheBytes: 1024 ** 3 }],
    ['SM-15 public base: no dynamic tenants', { BASE_URL: 'https://h' }, { dynamicTenants: false }],
    ['SM-15 unless told', { BASE_URL: 'https://h', DYN_TENANTS: 'on' }, { dynamicTenants: true }],
    ['SM-15 off is off', { DYN_TENANTS: 'off' }, { dynamicTenants: false }],
    ['SM-15 a name that only looks local', { BASE_URL: 'http://localhost.evil' }, { dynamicTenants: false }],
    ['SM-11 public address: no mock', { HOST: '0.0.0.0' }, { mockAllowed: false }],
    ['SM-11 unless told', { HOST: '0.0.0.0', ALLOW_MOCK: '1' }, { mockAllowed: true }],
    [
      'keys rotate',
      { SEALING_KEY: `${'a'.repeat(32)}, ${'b'.repeat(40)}` },
      { sealingKeys: ['a'.repeat(32), 'b'.repeat(40)] },
    ],
    ['hosts', { DYN_ALLOWED_HOSTS: 'a, b:80' }, { dynamicHosts: new Set(['a', 'b:80']) }],
    ['metrics elsewhere', { METRICS_PORT: '9464' }, { metricsPort: 9464 }],
    ['no delay', { SHUTDOWN_DELAY_SECONDS: '0' }, { shutdownDelaySeconds: 0 }],
    [
      'proxies',
      { TRUSTED_PROXIES: '10.0.0.0/8, ::1, 192.0.2.7' },
      { trustedProxies: ['10.0.0.0/8', '::1', '192.0.2.7'] },
    ],
    ['empty is not set', { PORT: '', SEALING_KEY: '' }, { port: 4000, sealingKeys: [] }],
    [
      'absolute paths stay',
      { DATA_DIR: '/data', TENANTS_DIR: 't' },
      { dataDir: '/data', tenantsDir: '/srv/t' },
    ],
  ])('%s', (_what, env, expected) => {
    expect(read(env)).toMatchObject(expected);
  });
});

test('all that is wrong is named at once, and no value is repeated', () => {
  const secret = 'short-secret';
  const env = {
    PORT: 'x',
    BASE_URL: 'ftp://h',
    SEALING_KEY: secret,
    LOG_LEVEL: 'loud',
    DYN_TENANTS: 'yes',
    REDIS_URL: 'http://:short-secret@h',
    OPERATOR_KEY: 'short-secret',
    ALLOW_MOCK: 'true',
    METRICS_PORT: '0',
    SHUTDOWN_DELAY_SECONDS: '-1',
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
  'TRUSTED_PROXIES=%s is refused',
  (TRUSTED_PROXIES) => {
    expect(() => read({ TRUSTED_PROXIES })).toThrow(/^TRUSTED_PROXIES must list IP addresses/);
  },
);

test('REDIS_URL without SEALING_KEY is refused: gateways could not open what the others sealed', () => {
  const REDIS_URL = 'rediss://user:hunter2@redis:6380/1';
  expect(() => read({ REDIS_URL })).toThrow(/^REDIS_URL needs SEALING_KEY, the same for all gateways/);
  expect(() => read({ REDIS_URL })).not.toThrow(/hunter2/);
  expect(read({ REDIS_URL, SEALING_KEY: 'k'.repeat(32) })).toMatchObject({ redisUrl: REDIS_URL });
});
