import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readSettings } from '../../settings.ts';
import { environmentOf, tenantFiles } from './environment.ts';
import { containersOf, k8s, kustomize, one, podOf } from './manifests.ts';
import { connectionsOf } from './network.ts';
import { strictProblems } from './strict.ts';

/** The component that puts nginx into the pods of the gateway, as README.md of k8s/ says. */

const readme = readFileSync(join(k8s, 'README.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'accel-overlay-'));
afterAll(() => rmSync(folder, { recursive: true }));
const up = relative(folder, k8s);
const overlay = { resources: [`${up}/overlays/server`], components: [`${up}/components/accel`] };
const kind = {
  apiVersion: 'kustomize.config.k8s.io/v1beta1',
  kind: 'Kustomization',
  namespace: 'smart-imaging',
};
writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify({ ...kind, ...overlay }));
const manifests = kustomize(folder);

test('its manifests are valid, and its pods have no privileges', () => {
  expect(strictProblems(manifests)).toEqual([]);
  const nginx = containersOf(manifests).find(({ name }) => name === 'nginx')!;
  expect(nginx).toMatchObject({ of: 'gateway', image: expect.stringMatching(/:\d+\.\d+/) as unknown });
  expect(nginx.securityContext).toMatchObject({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  const volumes = podOf(manifests, 'gateway').volumes!.map(({ name }) => name);
  for (const { name } of nginx.volumeMounts!) expect(volumes).toContain(name);
}, 60_000);

test('the entry leads to nginx, which reaches the archive; nothing else is allowed that was not', () => {
  expect(one(manifests, 'Service', 'gateway').spec).toMatchObject({
    ports: [{ port: 80, targetPort: 'entry' }],
  });
  const { allowed, halfAllowed, open } = connectionsOf(manifests);
  expect([halfAllowed, open]).toEqual([[], []]);
  const before = connectionsOf(kustomize('overlays/server')).allowed;
  expect(allowed.filter((one) => !before.includes(one))).toEqual([
    '[traefik] → gateway:8080',
    'gateway → orthanc:8042',
  ]);
});

test('the gateway and the images have the key of nginx, by reference, and README.md makes it', () => {
  for (const role of ['gateway', 'imaging']) {
    const { CLINICAL_URL: _clinical, IMAGING_URL: _imaging, ...own } = environmentOf(manifests, role);
    expect(readSettings({ ...own, ACCEL_KEY: 'k'.repeat(64) }, '/app').accelKey).toBe('k'.repeat(64));
  }
  const keys = containersOf(manifests).flatMap(({ of, env = [] }) =>
    env.filter(({ name }) => name === 'ACCEL_KEY').map(({ valueFrom }) => [of, valueFrom?.secretKeyRef]),
  );
  const reference = { name: 'gateway', key: 'accel-key' };
  expect(keys).toEqual([
    ['gateway', reference],
    ['gateway', reference],
    ['imaging', reference],
  ]);
  expect(readme).toContain('accel-key');
});

test('nginx has a location for the archive of the tenants', () => {
  const configuration = one(manifests, 'ConfigMap', 'accel-').data!['accel.conf.template']!;
  const endpoints = Object.values(tenantFiles(manifests)).flatMap((text) => [
    ...text.matchAll(/"endpoint": "(http:[^"]+)"/g),
  ]);
  expect(endpoints.length).toBeGreaterThan(1);
  for (const [, endpoint] of endpoints) {
    const { host, pathname } = new URL(endpoint!);
    expect(configuration).toContain(`location /_accel/http/${host}${pathname}/ {`);
    expect(configuration).toContain(`server ${host} `);
  }
});
