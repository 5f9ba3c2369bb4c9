import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseTenant, tlsParts } from '../../../schema/tenant/tenant.ts';
import { readSettings } from '../../settings.ts';
import { createAuthority } from '../setup/certificates.ts';
import { containerOf, environmentOf } from './environment.ts';
import { containersOf, k8s, kustomize, podOf, type Manifest } from './manifests.ts';
import { connectionsOf } from './network.ts';
import { strictProblems } from './strict.ts';

/** What a hospital adds: the components `site` and `dimse-tls` as README.md of k8s/ says, and digests as docs/deployment.md says. */

const readme = readFileSync(join(k8s, 'README.md'), 'utf8');
const operations = readFileSync(join(k8s, '../docs/deployment.md'), 'utf8');
const ROLES = ['gateway', 'clinical', 'imaging'];
const MOUNT = '/etc/gateway/certificates';
const parent = mkdtempSync(join(tmpdir(), 'site-'));
afterAll(() => rmSync(parent, { recursive: true }));

/** Builds overlays/server with more of an overlay's keys. */
function overlay(name: string, more: object): Manifest[] {
  const folder = join(parent, name);
  mkdirSync(folder);
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: 'smart-imaging',
    resources: [relative(folder, join(k8s, 'overlays/server'))],
    ...more,
  };
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  return kustomize(folder);
}

/** Components that README.md adds to an overlay, from another folder. */
const { components: documented } = parse(
  /^ {3}```yaml\n(.*?)^ {3}```/ms.exec(readme.split('## Variables and certificates')[1]!)![1]!,
) as { components: string[] };
const added = [documented.at(-1)!, '../../components/dimse-tls'].map((path) =>
  relative(join(parent, 'any'), join(k8s, path.replace('../../', ''))),
);
const manifests = overlay('hospital', { components: added });

test('the component is the documented one, its manifests are valid, and it opens no connection', () => {
  expect(documented.at(-1)).toBe('../../components/site');
  expect(readme).toContain('`../../components/dimse-tls`');
  expect(strictProblems(manifests)).toEqual([]);
  const before = connectionsOf(kustomize('overlays/server'));
  expect(connectionsOf(manifests)).toEqual(before);
}, 60_000);

test.each(ROLES)('%s has the variables and the files of the hospital beside its own', (role) => {
  const container = containerOf(manifests, role);
  expect(container.envFrom).toEqual([
    { configMapRef: { name: expect.stringMatching(/^gateway-/) as unknown } },
    { secretRef: { name: 'site' } },
  ]);
  const mounts = container.volumeMounts!.map(({ name }) => name);
  expect(mounts).toEqual(expect.arrayContaining(['tenants', 'data', 'tmp', 'certificates']));
  expect(podOf(manifests, role).volumes).toContainEqual({
    name: 'certificates',
    secret: { secretName: 'site-certificates', defaultMode: 0o440 },
  });
  expect(podOf(manifests, role).securityContext).toMatchObject({ fsGroup: 1000 });
  expect(environmentOf(manifests, role)).toMatchObject({
    ...environmentOf(kustomize('overlays/server'), role),
    NODE_EXTRA_CA_CERTS: `${MOUNT}/ca.pem`,
  });
});

test('nothing but the roles is changed', () => {
  const others = (all: readonly Manifest[]) => containersOf(all).filter(({ of }) => !ROLES.includes(of));
  expect(others(manifests)).toEqual(others(kustomize('overlays/server')));
});

test('the documented `tls` of a tenant names files of the Secret, in the folder where they are mounted', () => {
  const [, text] = /^ {3}```json\n(.*?)^ {3}```/ms.exec(readme)!;
  const file = {
    authorization: { type: 'smart-on-fhir', fhirBaseUrl: 'https://ehr.example.org/fhir' },
    images: {
      type: 'dicom-web',
      lookup: 'studies-by-mrn',
      endpoint: 'https://pacs.example.org/dicom-web',
      tls: JSON.parse(text!) as object,
    },
  };
  const origin = { key: 'a', path: 'a', dynamic: false, environment: {} };
  const { tenant } = parseTenant(file, { ...origin, directory: '/etc/gateway/tenants' });
  const paths = tlsParts(tenant).flatMap(({ tls }) => Object.values(tls));
  const made = [...readme.matchAll(/--from-file=([\w-]+\.(?:pem|key))/g)].map(
    ([, name]) => `${MOUNT}/${name}`,
  );
  expect(paths.sort()).toEqual(made.sort());
  expect(made).toContain(`${MOUNT}/ca.pem`);
});

test('deliveries of C-MOVE by TLS: imaging starts with the documented files, the others have no such variable', () => {
  const authority = createAuthority();
  const { certificate, key } = authority.issue('dimse');
  const files: Record<string, string> = {
    'dimse.pem': certificate,
    'dimse.key': key,
    'dimse-ca.pem': authority.ca,
  };
  const { CLINICAL_URL: _clinical, IMAGING_URL: _imaging, ...own } = environmentOf(manifests, 'imaging');
  const environment = Object.fromEntries(
    Object.entries(own).map(([name, value]) => [name, files[value.replace(`${MOUNT}/`, '')] ?? value]),
  );
  expect(readSettings(environment, '/app').dimseTls).toEqual({ certificate, key, ca: authority.ca });
  for (const name of Object.keys(files)) expect(readme).toContain(`\`${name}\``);
  authority.remove();
  for (const role of ['gateway', 'clinical'])
    expect(
      Object.keys(environmentOf(manifests, role)).filter((name) => name.startsWith('DIMSE_TLS')),
    ).toEqual([]);
});

test('the documented lines pin images by their digests', () => {
  const { images } = parse(/^```yaml\n(images:.*?)^```/ms.exec(operations)![1]!) as {
    images: { name: string; newName?: string; digest: string }[];
  };
  expect(images).toHaveLength(2);
  const pinned = overlay('pinned', { images });
  const used = containersOf(pinned).map(({ of, image }) => [of, image]);
  const [gateway, redis] = images.map(({ name, newName = name, digest }) => `${newName}@${digest}`);
  for (const role of ROLES) expect(used).toContainEqual([role, gateway]);
  expect(used).toContainEqual(['redis', redis]);
  expect(used.filter(([, image]) => image!.startsWith('smart-imaging-gateway'))).toEqual([]);
});
