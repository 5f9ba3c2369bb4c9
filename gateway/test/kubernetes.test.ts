import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import { DRAIN_SECONDS } from '../http/graceful-shutdown.ts';
import { readSettings } from '../settings.ts';

const k8s = resolve(import.meta.dirname, '../../k8s');

interface Manifest {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  spec?: { template: { spec: PodSpec } };
}
interface PodSpec {
  terminationGracePeriodSeconds: number;
  securityContext: Record<string, unknown>;
  containers: [Container];
  volumes: { name: string; configMap?: { name: string } }[];
}
interface Claim {
  spec: { resources: { requests: { storage: string } } };
}
interface SecretKey {
  name: string;
  key: string;
  optional?: boolean;
}
interface Container {
  env: { name: string; value?: string; valueFrom?: { secretKeyRef: SecretKey } }[];
  ports: { name: string; containerPort: number }[];
  envFrom?: { configMapRef: { name: string } }[];
  securityContext: Record<string, unknown>;
  resources: { requests: object; limits: object };
  lifecycle?: { preStop: { exec: { command: string[] } } };
  [probe: `${string}Probe`]: { httpGet?: { path: string } };
}

function kustomize(directory: string): Manifest[] {
  const yaml = execFileSync('kustomize', ['build', directory], { encoding: 'utf8' });
  return parseAllDocuments(yaml).map((document) => document.toJS() as Manifest);
}
const one = (manifests: Manifest[], kind: string, name: string | RegExp): Manifest => {
  const found = manifests.filter((m) => m.kind === kind && m.metadata.name.match(name)?.index === 0);
  expect(found, `${kind} ${name}`).toHaveLength(1);
  return found[0]!;
};
const pod = (manifests: Manifest[], name: string) => one(manifests, 'Deployment', name).spec!.template.spec;

const SECRETS: Record<string, string> = {
  'client-jwk-private': '{"kty":"EC","crv":"P-384"}',
  'sealing-key': 'a'.repeat(64),
  'redis-url': 'redis://:password@redis:6379',
  'operator-key': 'b'.repeat(64),
};

/**
 * Returns the environment of the container, with a stand-in for every required secret; with `optional` for the others
 * too.
 */
function environmentOf(manifests: Manifest[], optional = false): Record<string, string> {
  return Object.fromEntries(
    pod(manifests, 'gateway')
      .containers[0].env.filter(({ valueFrom }) => optional || !valueFrom?.secretKeyRef.optional)
      .map(({ name, value, valueFrom }) => [name, value ?? SECRETS[valueFrom!.secretKeyRef.key] ?? 'secret']),
  );
}

/** Parses every file of the ConfigMap `tenants` as the pod does. */
function tenantsOf(manifests: Manifest[]) {
  const environment = environmentOf(manifests);
  return Object.entries(one(manifests, 'ConfigMap', 'tenants-').data!).map(([file, text]) => {
    const key = file.replace(/\.json$/, '');
    const origin = { key, path: key, dynamic: false, directory: '/etc/gateway/tenants', environment };
    return parseTenant(JSON.parse(text), origin);
  });
}

describe('k8s/base', () => {
  const manifests = kustomize(join(k8s, 'base'));

  it.each(['gateway', 'orthanc'])('%s runs without root, privileges or capabilities', (name) => {
    const { securityContext, containers } = pod(manifests, name);
    expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(containers[0].securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    expect(containers[0].resources).toMatchObject({
      requests: { cpu: expect.any(String), memory: expect.any(String) },
      limits: { memory: expect.any(String) },
    });
  });

  it('the gateway writes only to its volumes and is probed at its health endpoints', () => {
    const [container] = pod(manifests, 'gateway').containers;
    expect(container.securityContext['readOnlyRootFilesystem']).toBe(true);
    expect(container.livenessProbe?.httpGet?.path).toBe('/health/live');
    expect(container.readinessProbe?.httpGet?.path).toBe('/health/ready');
  });

  it('a stop is complete before Kubernetes kills the process', () => {
    const { terminationGracePeriodSeconds, containers } = pod(manifests, 'gateway');
    const [command, seconds] = containers[0].lifecycle!.preStop.exec.command;
    expect(command).toBe('sleep');
    const stop = Number(seconds) + settingsOf(false).shutdownDelaySeconds + DRAIN_SECONDS;
    expect(stop).toBeGreaterThan(DRAIN_SECONDS);
    expect(stop).toBeLessThan(terminationGracePeriodSeconds);
  });

  const settingsOf = (optional: boolean) => {
    const { data } = one(manifests, 'ConfigMap', 'gateway-');
    return readSettings({ ...data, ...environmentOf(manifests, optional) }, '/app');
  };

  it('the gateway starts with this environment, with and without its optional variables', () => {
    const { containers } = pod(manifests, 'gateway');
    const ports = Object.fromEntries(
      containers[0].ports.map(({ name, containerPort }) => [name, containerPort]),
    );
    const settings = {
      ...{ host: '0.0.0.0', port: ports['http'], dimsePort: ports['dimse'], dataDir: '/data' },
      metricsPort: ports['metrics'],
      ...{ tenantsDir: '/etc/gateway/tenants', baseUrl: 'https://imaging.example.org' },
      ...{ sealingKeys: [SECRETS['sealing-key']], mockAllowed: false, dynamicTenants: false },
    };
    expect(settingsOf(false)).toMatchObject(settings);
    expect(settingsOf(false).redisUrl).toBeUndefined();
    expect(settingsOf(true)).toMatchObject({
      ...settings,
      ...{ redisUrl: SECRETS['redis-url'], operatorKey: SECRETS['operator-key'] },
    });
  });

  it('the cache of DIMSE retrievals is smaller than half of the volume', () => {
    const { spec } = one(manifests, 'PersistentVolumeClaim', 'gateway-data') as unknown as Claim;
    const [, gibibytes] = /^(\d+)Gi$/.exec(spec.resources.requests.storage)!;
    expect(settingsOf(false).dimseCacheBytes).toBeLessThan((Number(gibibytes) * 1024 ** 3) / 2);
  });

  it('every variable is read by the gateway or by a tenant file', () => {
    const settings = readFileSync(resolve(k8s, '../gateway/settings.ts'), 'utf8');
    const tenants = Object.values(one(manifests, 'ConfigMap', 'tenants-').data!).join();
    const { data } = one(manifests, 'ConfigMap', 'gateway-');
    const names = [...Object.keys(data!), ...Object.keys(environmentOf(manifests, true))];
    const dockerfile = readFileSync(resolve(k8s, '../Dockerfile'), 'utf8');
    const [, image] = /^ENV (.+)$/m.exec(dockerfile)!;
    names.push(...[...image!.matchAll(/([A-Z_]+)=/g)].map(([, name]) => name!));
    expect(names).toContain('SEALING_KEY');
    const read = (name: string) =>
      new RegExp(`^  ${name}:`, 'm').test(settings) || tenants.includes(`"$env": "${name}"`);
    expect(names.filter((name) => name !== 'NODE_ENV' && !read(name))).toEqual([]);
  });

  it('every ConfigMap that is mounted or read exists, under its hashed name', () => {
    const { volumes, containers } = pod(manifests, 'gateway');
    const wanted = [
      ...volumes.flatMap(({ configMap }) => configMap?.name ?? []),
      ...(containers[0].envFrom ?? []).map(({ configMapRef }) => configMapRef.name),
    ];
    const made = manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
    expect(wanted).toHaveLength(2);
    expect(made).toEqual(expect.arrayContaining(wanted));
  });

  it('has no secret in it: passwords and keys come by reference', () => {
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const named = (['gateway', 'orthanc'] as const).flatMap((name) =>
      pod(manifests, name).containers[0].env.filter(({ name }) =>
        /PASSWORD|KEY|JWK|SECRET|REDIS_URL/.test(name),
      ),
    );
    expect(named.map(({ valueFrom }) => valueFrom?.secretKeyRef.key)).toEqual([
      'sealing-key',
      'redis-url',
      'operator-key',
      'orthanc-password',
      'client-jwk-private',
      'meditech-client-secret',
      'orthanc-password',
    ]);
    const users = pod(manifests, 'orthanc').containers[0].env.find(({ name }) =>
      name.endsWith('REGISTERED_USERS'),
    );
    expect(users?.value).toBe('{"gateway": "$(GATEWAY_PASSWORD)"}');
  });

  it('every tenant parses with the environment of the pod, has no literal secret, and requires a token', () => {
    const tenants = tenantsOf(manifests);
    expect(tenants.map(({ tenant }) => tenant.key)).toContain('smart-sandbox');
    for (const { tenant, literalSecrets } of tenants) {
      expect(literalSecrets, tenant.key).toEqual([]);
      expect(tenant.authorization.type, tenant.key).not.toBe('mock');
    }
  });

  it('Orthanc accepts C-FIND, C-GET and C-MOVE from the gateway only', () => {
    const settings = JSON.parse(one(manifests, 'ConfigMap', 'orthanc-').data!['orthanc.json']!) as object;
    expect(settings).toMatchObject({
      AuthenticationEnabled: true,
      DicomAlwaysAllowFind: false,
      DicomAlwaysAllowGet: false,
      DicomAlwaysAllowMove: false,
      DicomModalities: { STORESCP: { Host: 'gateway', Port: 30104 } },
    });
  });
});

describe('k8s/tenants/trial', () => {
  it('adds the tenants without authorization to the base, and sets ALLOW_MOCK', () => {
    const overlay = mkdtempSync(join(tmpdir(), 'overlay-'));
    try {
      const from = (path: string) => relative(overlay, join(k8s, path));
      writeFileSync(
        join(overlay, 'kustomization.yaml'),
        `resources: ['${from('base')}']\ncomponents: ['${from('tenants/trial')}']\n`,
      );
      const manifests = kustomize(overlay);
      expect(one(manifests, 'ConfigMap', 'gateway-').data).toMatchObject({ ALLOW_MOCK: '1' });
      const tenants = tenantsOf(manifests);
      const files = readdirSync(join(k8s, 'tenants'), { recursive: true, encoding: 'utf8' });
      const keys = files.flatMap((file) => /([^/]+)\.json$/.exec(file)?.[1] ?? []);
      expect(tenants.map(({ tenant }) => tenant.key).sort()).toEqual(keys.sort());
      expect(tenants.flatMap(({ literalSecrets }) => literalSecrets)).toEqual([]);
    } finally {
      rmSync(overlay, { recursive: true });
    }
  });
});
