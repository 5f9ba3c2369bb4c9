import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  read_only: boolean;
  cap_drop: string[];
  security_opt: string[];
  healthcheck?: { test?: string[]; disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
}
const source = read('compose.yaml');
const { services, volumes } = parse(source, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
};
const names = Object.keys(services);
const OURS = names.filter((name) => services[name]!.image.startsWith('smart-imaging-gateway:'));

/** Exceptions, each with its reason in compose.yaml. */
const WRITES_ITS_ROOT = ['orthanc'];
const NO_HEALTH_CHECK = ['hapi', 'samples'];
const NO_OTHER_TAG = ['launcher'];

test('has the gateway, its stores, and the servers of a hospital', () => {
  expect(names.sort()).toEqual(['gateway', 'hapi', 'launcher', 'orthanc', 'postgres', 'redis', 'samples']);
  expect(OURS.sort()).toEqual(['gateway', 'samples']);
});

describe.each(names)('%s', (name) => {
  const service = services[name]!;

  it('is confined', () => {
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service.read_only).toBe(!WRITES_ITS_ROOT.includes(name));
  });

  it('has an image with a version', () => {
    const [, tag] = /:([\w.-]+)$/.exec(service.image) ?? [];
    if (NO_OTHER_TAG.includes(name)) expect(tag).toBe('latest');
    else expect(tag).toMatch(/^v?\d+\.\d+/);
  });

  it('publishes its ports on loopback only', () => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('waits for services that can say that they are healthy', () => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect([name, other, condition]).toEqual([
        name,
        other,
        NO_HEALTH_CHECK.includes(other) ? 'service_started' : 'service_healthy',
      ]);
    }
  });

  it('has a health check', () => {
    // That of our image is in the Dockerfile.
    const has = OURS.includes(name) ? !service.healthcheck?.disable : service.healthcheck !== undefined;
    expect(has).toBe(!NO_HEALTH_CHECK.includes(name));
  });

  it('has no secret in it', () => {
    for (const [variable, value] of Object.entries(service.environment)) {
      if (!/PASSWORD|SECRET|KEY|AUTH|USERS|REDIS_URL/.test(variable)) continue;
      expect([variable, value]).toEqual([variable, expect.stringMatching(/\$\{[A-Z_]+:\?.+\}/)]);
    }
  });

  it('mounts only volumes that exist and files of the repository', () => {
    for (const mount of service.volumes ?? []) {
      const [from] = mount.split(':');
      if (from!.startsWith('./')) expect(read(from!).length).toBeGreaterThan(0);
      else expect(Object.keys(volumes)).toContain(from);
    }
  });
});

test('every variable for our image is a setting of the gateway or of a tenant file', () => {
  const settings = [...read('docs/configuration.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(
    ([, name]) => name!,
  );
  expect(settings).toContain('SEALING_KEY');
  const tenants = readdirSync(join(root, 'gateway/tenants')).filter((file) => file.endsWith('.json'));
  const values = tenants.flatMap((file) => [
    ...read(`gateway/tenants/${file}`).matchAll(/"\$env": "([A-Z_]+)"/g),
  ]);
  const known = new Set([...settings, ...values.map(([, name]) => name!)]);
  const set = OURS.flatMap((name) => Object.keys(services[name]!.environment));
  expect(set.filter((name) => !known.has(name))).toEqual([]);
});

test('its first lines give a value to every variable that it requires', () => {
  const [, listed] = /^# +for name in (.+)$/m.exec(source)!;
  const required = new Set([...source.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name!));
  expect(listed!.split(' ').sort()).toEqual([...required].sort());
});

test('the files with values are neither committed nor in the image', () => {
  expect(read('.gitignore').split('\n')).toContain('.env');
  expect(read('.dockerignore')).toMatch(/^\*$/m);
  expect(read('.dockerignore')).not.toMatch(/^!.*\.env/m);
});
