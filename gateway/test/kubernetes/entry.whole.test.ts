import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { startChild, type Child } from '../setup/child.ts';
import { freePort } from '../setup/free-port.ts';
import { startRedis, type Redis } from '../setup/redis.ts';
import { containerOf, environmentOf, tenantFiles } from './environment.ts';
import { k8s, kustomize, one, type Manifest } from './manifests.ts';

/** Each role as a process with the environment of its pod (and its own addresses), asked by its probes and by the routes of the entry. */

const minikube = kustomize('overlays/minikube');
const folder = mkdtempSync(join(tmpdir(), 'kubernetes-'));
const root = join(k8s, '..');
let redis: Redis;
const roles = new Map<string, { url: string; metrics: string; process: Child }>();

/** In the cluster each role has an address of its own, with the same port. */
const ports = new Map<string, number>();

beforeAll(async () => {
  redis = await startRedis();
  for (const role of ['gateway', 'clinical', 'imaging']) ports.set(role, await freePort());
  for (const [name, text] of Object.entries(tenantFiles(minikube))) writeFileSync(join(folder, name), text);
  await Promise.all(['gateway', 'clinical', 'imaging'].map(start));
}, 60_000);
afterAll(async () => {
  await Promise.all([...roles.values()].map(({ process }) => process.end()));
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(role: string): Promise<void> {
  const [port, metricsPort] = [ports.get(role)!, await freePort()];
  const own = {
    ...environmentOf(minikube, role),
    CLINICAL_URL: `http://127.0.0.1:${ports.get('clinical')}`,
    IMAGING_URL: `http://127.0.0.1:${ports.get('imaging')}`,
    PATH: process.env['PATH'],
    HOST: '127.0.0.1',
    PORT: port,
    METRICS_PORT: metricsPort,
    REDIS_URL: redis.url,
    TENANTS_DIR: folder,
    DATA_DIR: join(folder, `data-${role}`),
    DIMSE_PORT: '0',
    SHUTDOWN_DELAY_SECONDS: '0',
  };
  const variables = Object.entries(own).map(([name, value]) => `${name}=${value}`);
  const { command = ['node', 'dist/gateway/main.js'], startupProbe } = containerOf(minikube, role);
  const url = `http://127.0.0.1:${port}`;
  const child = await startChild(
    '/usr/bin/env',
    ['-i', '-C', root, ...variables, process.execPath, ...command.slice(1)],
    async () => (await status(url + startupProbe!.httpGet!.path)) === 200,
    50_000,
  );
  roles.set(role, { url, metrics: `http://127.0.0.1:${metricsPort}`, process: child });
}

async function status(url: string): Promise<number> {
  const { statusCode, body } = await request(url, { reset: true });
  await body.dump();
  return statusCode;
}

test.each(['gateway', 'clinical', 'imaging'])(
  'the probes of %s succeed, and the metric of its autoscaler exists',
  async (role) => {
    const { url, metrics } = roles.get(role)!;
    const { startupProbe, livenessProbe, readinessProbe } = containerOf(minikube, role);
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
      await expect.poll(() => status(url + probe!.httpGet!.path), { timeout: 20_000 }).toBe(200);
    }
    const [metric] = JSON.stringify(one(kustomize('base'), 'HorizontalPodAutoscaler', role).spec).match(
      /requests_in_flight/,
    )!;
    const text = await (await request(`${metrics}/metrics`, { reset: true })).body.text();
    expect(text).toMatch(new RegExp(`^${metric} \\d`, 'm'));
  },
);

interface IngressSpec {
  rules: {
    host: string;
    http: { paths: { path: string; pathType: string; backend: { service: { name: string } } }[] };
  }[];
}
interface RouteSpec {
  hostnames?: string[];
  rules: { matches?: { path: { type: string; value: string } }[]; backendRefs?: { name: string }[] }[];
}
type Route = { host: string; path: string; to: string };

/** Returns the paths of Ingresses and of HTTPRoutes that lead to a Service. */
function routesOf(manifests: readonly Manifest[]): Route[] {
  return manifests.flatMap(({ kind, spec }) => {
    if (kind === 'Ingress') {
      return (spec as unknown as IngressSpec).rules.flatMap(({ host, http }) =>
        http.paths.map(({ path, pathType, backend }) => {
          expect(pathType).toBe('Prefix');
          return { host, path, to: backend.service.name };
        }),
      );
    }
    if (kind !== 'HTTPRoute') return [];
    const { hostnames = [], rules } = spec as unknown as RouteSpec;
    return hostnames.flatMap((host) =>
      rules.flatMap(({ matches = [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs }) =>
        matches.map(({ path }) => {
          expect(path.type).toBe('PathPrefix');
          return { host, path: path.value, to: backendRefs![0]!.name };
        }),
      ),
    );
  });
}

/** Returns the Service of a URL; a prefix matches whole elements of the path, and the longest one counts. */
function serviceOf(routes: readonly Route[], url: string): string | undefined {
  const { hostname, pathname } = new URL(url);
  return routes
    .filter(
      ({ host, path }) => host === hostname && `${pathname}/`.startsWith(path === '/' ? '/' : `${path}/`),
    )
    .sort((a, b) => b.path.length - a.path.length)[0]?.to;
}

describe.each([
  ['overlays/minikube', 'https://imaging.test', 'https://launcher.imaging.test'],
  ['overlays/server', 'https://imaging.example.org', 'https://launcher.imaging.example.org'],
])('the entry of %s', (overlay, host, launcher) => {
  const manifests = kustomize(overlay);
  const routes = routesOf(manifests);

  it.each([
    ['/img/', 200],
    ['/img/app/', 200],
    ['/img/schema.graphql', 200],
    ['/img/open/fhir/metadata', 200],
    ['/img/smart-sandbox/fhir/ImagingStudy', 401],
    ['/img/smart-sandbox/dicomweb/studies', 401],
    // On a port of its own, which the entry does not know.
    ['/img/metrics', 404],
  ])('leads %s to the gateway, which answers %i', async (path, expected) => {
    expect(serviceOf(routes, host + path)).toBe('gateway');
    expect(await status(roles.get('gateway')!.url + path)).toBe(expected);
  });

  it('leads the metadata at the root of the host to the gateway', async () => {
    const { url } = roles.get('gateway')!;
    const refused = await request(`${url}/img/smart-sandbox-local-independent/fhir/ImagingStudy`, {
      reset: true,
    });
    await refused.body.dump();
    const [, metadata] = /resource_metadata="([^"]+)"/.exec(String(refused.headers['www-authenticate']))!;
    const { pathname } = new URL(metadata!);
    expect(pathname).toBe('/.well-known/oauth-protected-resource/img/smart-sandbox-local-independent');
    const answer = (await (await request(url + pathname, { reset: true })).body.json()) as Record<
      string,
      unknown
    >;
    expect(answer['resource']).toBe('https://imaging.test/img/smart-sandbox-local-independent');
    const [issuer] = answer['authorization_servers'] as [string];
    // RFC 8414 §3.1: the well-known name comes before the path of the issuer.
    const server = `/.well-known/oauth-authorization-server${new URL(issuer).pathname}`;
    expect(await status(url + server)).toBe(200);
    for (const path of [pathname, server])
      expect([path, serviceOf(routes, host + path)]).toEqual([path, 'gateway']);
  });

  it('leads the host of the launcher to the launcher, and nothing else anywhere', () => {
    const { SMART_LOCAL_FHIR } = environmentOf(manifests, 'gateway');
    expect(new URL(SMART_LOCAL_FHIR!).origin).toBe(launcher);
    expect(serviceOf(routes, SMART_LOCAL_FHIR!)).toBe('launcher');
    for (const path of [
      '/',
      '/metrics',
      '/health/live',
      '/imgs',
      '/.well-known/other',
      '/.well-known/oauth-protected-resource',
    ]) {
      expect([path, serviceOf(routes, host + path)]).toEqual([path, undefined]);
    }
  });

  it('has one certificate with both names', () => {
    const { dnsNames, secretName } = one(manifests, 'Certificate', 'entry').spec as unknown as {
      dnsNames: string[];
      secretName: string;
    };
    expect(dnsNames).toEqual([host, launcher].map((url) => new URL(url).hostname));
    expect(new Set(routes.map(({ host }) => host))).toEqual(new Set(dnsNames));
    expect(secretName).toBe('entry-tls');
  });
});
