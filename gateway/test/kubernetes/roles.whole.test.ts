import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { DRAIN_SECONDS } from '../../http/graceful-shutdown.ts';
import { readSettings } from '../../settings.ts';
import { containerOf, environmentOf, SECRETS, tenantFiles } from './environment.ts';
import { containersOf, k8s, kustomize, one, OVERLAYS, podOf, workloads, type Manifest } from './manifests.ts';

/** Roles and the commands that start them; the gateway has that of the image. */
const ROLES = [
  ['gateway', undefined],
  ['clinical', ['node', 'dist/gateway/main.js', 'clinical']],
  ['imaging', ['node', 'dist/gateway/main.js', 'imaging']],
] as const;
/** Addresses of the other roles, which are not settings of a gateway in one process. */
const ADDRESSES = { CLINICAL_URL: 'clinical', IMAGING_URL: 'imaging' };

function settingsOf(manifests: readonly Manifest[], role: string, optional = false) {
  const environment = environmentOf(manifests, role, optional);
  for (const name of Object.keys(ADDRESSES)) delete environment[name];
  return readSettings(environment, '/app');
}

/** Parses every tenant file as the pods do. */
function tenantsOf(manifests: readonly Manifest[]) {
  const environment = environmentOf(manifests, 'gateway');
  return Object.entries(tenantFiles(manifests)).map(([file, text]) => {
    const key = file.replace(/\.json$/, '');
    const origin = { key, path: key, dynamic: false, directory: '/etc/gateway/tenants', environment };
    return parseTenant(JSON.parse(text), origin);
  });
}
const bytes = (size: string) => Number(/^(\d+)Gi$/.exec(size)![1]) * 1024 ** 3;

describe.each(OVERLAYS)('%s', (overlay) => {
  const manifests = kustomize(overlay);

  it('its pods meet the restricted standard of pod security, which the namespace enforces', () => {
    expect(one(manifests, 'Namespace', 'smart-imaging').metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
    });
    expect(workloads(manifests).length).toBeGreaterThan(5);
    for (const { metadata, spec } of workloads(manifests)) {
      const { securityContext } = spec.template.spec;
      expect([metadata.name, securityContext]).toMatchObject([
        metadata.name,
        { runAsNonRoot: true, runAsUser: expect.any(Number), seccompProfile: { type: 'RuntimeDefault' } },
      ]);
      expect(spec.template.spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
      });
    }
  });

  it('its containers have no privileges, write only to volumes, and have an image with a version', () => {
    for (const { of, image, securityContext, resources } of containersOf(manifests)) {
      expect([of, securityContext]).toEqual([
        of,
        {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          // The reason is in its manifest.
          readOnlyRootFilesystem: of !== 'orthanc',
        },
      ]);
      expect([of, resources]).toMatchObject([
        of,
        {
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        },
      ]);
      expect([of, image]).toEqual([
        of,
        expect.stringMatching(of === 'launcher' ? /:latest$/ : /:v?\d+\.\d+/),
      ]);
    }
  });

  describe.each(ROLES)('%s', (role, command) => {
    it('has its command, and is probed at its health endpoints', () => {
      const container = containerOf(manifests, role);
      expect(container.command).toEqual(command);
      expect(container.startupProbe!.httpGet).toEqual({ path: '/health/live', port: 'http' });
      expect(container.livenessProbe!.httpGet).toEqual({ path: '/health/live', port: 'http' });
      expect(container.readinessProbe!.httpGet).toEqual({ path: '/health/ready', port: 'http' });
    });

    it('a stop is complete before Kubernetes kills the process', () => {
      const { terminationGracePeriodSeconds } = podOf(manifests, role);
      const [command, seconds] = containerOf(manifests, role).lifecycle!.preStop.exec.command;
      expect(command).toBe('sleep');
      const stop = Number(seconds) + settingsOf(manifests, role).shutdownDelaySeconds + DRAIN_SECONDS;
      expect(stop).toBeGreaterThan(DRAIN_SECONDS);
      expect(stop).toBeLessThan(terminationGracePeriodSeconds!);
    });

    it('starts with its environment, with and without the optional variables', () => {
      const ports = containerOf(manifests, role).ports!.map(({ name, containerPort }) => [
        name,
        containerPort,
      ]);
      const { http, metrics, dimse } = Object.fromEntries(ports) as Record<string, number>;
      const settings = {
        host: '0.0.0.0',
        port: http,
        metricsPort: metrics,
        dataDir: '/data',
        workers: 1,
        tenantsDir: '/etc/gateway/tenants',
        baseUrl:
          overlay === 'overlays/minikube' ? 'https://imaging.test/img' : 'https://imaging.example.org/img',
        sealingKeys: [SECRETS['sealing-key']],
        redisUrl: `redis://:${SECRETS['redis-password']}@redis:6379`,
        mockAllowed: overlay === 'overlays/minikube',
        dynamicTenants: false,
        ...(role === 'imaging' && { dimsePort: dimse }),
      };
      expect(settingsOf(manifests, role)).toMatchObject(settings);
      expect(settingsOf(manifests, role, true)).toMatchObject({
        ...settings,
        operatorKey: SECRETS['operator-key'],
      });
    });

    it('its caches and exports fit into its volume', () => {
      const { dimseCacheBytes, exportBytes } = settingsOf(manifests, role);
      const data = podOf(manifests, role).volumes!.find(({ name }) => name === 'data')!;
      expect(dimseCacheBytes + exportBytes).toBeLessThan(bytes(data.emptyDir!.sizeLimit!));
    });

    it('every variable is read by the gateway, by a tenant file, or by another variable', () => {
      const settings = readFileSync(resolve(k8s, '../docs/configuration.md'), 'utf8');
      const tenants = Object.values(tenantFiles(manifests)).join();
      const isRead = (name: string) =>
        settings.includes(`| \`${name}\` |`) || tenants.includes(`"$env": "${name}"`);
      const unread = Object.keys(environmentOf(manifests, role, true)).filter((name) => !isRead(name));
      const more = { base: [], 'overlays/minikube': ['NODE_EXTRA_CA_CERTS'], 'overlays/server': [] };
      expect(unread.sort()).toEqual([...more[overlay], 'REDIS_PASSWORD'].sort());
    });
  });

  it('the gateway has the addresses of the other roles', () => {
    const environment = environmentOf(manifests, 'gateway');
    for (const [name, role] of Object.entries(ADDRESSES)) {
      expect(environment[name]).toBe(`http://${role}`);
      expect(one(manifests, 'Service', role).spec).toMatchObject({
        ports: expect.arrayContaining([{ name: 'http', port: 80, targetPort: 'http' }]) as unknown,
      });
    }
  });

  it('has no secret in it: passwords and keys come by reference', () => {
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    for (const { of, env = [] } of containersOf(manifests)) {
      for (const { name, value, valueFrom } of env) {
        if (!/PASSWORD|KEY|JWK|SECRET|AUTH|REDIS_URL|USERS/.test(name)) continue;
        const isReference =
          valueFrom?.secretKeyRef?.name === 'gateway' || /\$\(\w+_PASSWORD\)/.test(value ?? '');
        expect([of, name, isReference]).toEqual([of, name, true]);
      }
    }
    for (const { literalSecrets, tenant } of tenantsOf(manifests)) {
      expect([tenant.key, literalSecrets]).toEqual([tenant.key, []]);
    }
  });

  it('only minikube has tenants without tokens', () => {
    const types = tenantsOf(manifests).map(({ tenant }) => tenant.authorization.type);
    expect(types).toContain('smart-on-fhir');
    expect(types.includes('mock')).toBe(overlay === 'overlays/minikube');
  });

  it('Orthanc accepts C-FIND, C-GET and C-MOVE from the imaging role only', () => {
    const settings = JSON.parse(one(manifests, 'ConfigMap', 'orthanc-').data!['orthanc.json']!) as object;
    expect(settings).toMatchObject({
      AuthenticationEnabled: true,
      DicomAlwaysAllowFind: false,
      DicomAlwaysAllowGet: false,
      DicomAlwaysAllowMove: false,
      DicomModalities: { STORESCP: { Host: 'imaging', Port: 30104 } },
    });
  });
});

test('the overlay for minikube has every tenant of k8s/tenants', () => {
  const files = readdirSync(join(k8s, 'tenants'), { recursive: true, encoding: 'utf8' });
  const keys = files.flatMap((file) => /([^/]+)\.json$/.exec(file)?.[1] ?? []);
  const tenants = tenantsOf(kustomize('overlays/minikube'));
  expect(tenants.map(({ tenant }) => tenant.key).sort()).toEqual(keys.sort());
});

test('the databases that the script creates are those that the servers use', () => {
  const base = kustomize('base');
  const script = one(base, 'ConfigMap', 'postgres-').data!['create-databases.sh']!;
  expect(/for name in (.+);/.exec(script)![1]).toBe('orthanc hapi');
  const orthanc = JSON.parse(one(base, 'ConfigMap', 'orthanc-').data!['orthanc.json']!) as Record<
    string,
    object
  >;
  expect(orthanc['PostgreSQL']).toMatchObject({ Host: 'postgres', Database: 'orthanc', Username: 'orthanc' });
  expect(environmentOf(base, 'hapi')).toMatchObject({
    SPRING_DATASOURCE_URL: 'jdbc:postgresql://postgres:5432/hapi',
    SPRING_DATASOURCE_USERNAME: 'hapi',
  });
});
