import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { environmentOf } from './environment.ts';
import { containersOf, k8s, kustomize, one, type Manifest } from './manifests.ts';
import { connectionsOf } from './network.ts';
import { strictProblems } from './strict.ts';

/** The files and commands that README.md of k8s/ gives to a user. */

const readme = readFileSync(join(k8s, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text!);
const block = (kind: string) => blocks.find((text) => text.includes(`kind: ${kind}\n`))!;
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

/** Makes the overlay of "Your EHR and archive" and builds it. */
function hospital(baseUrl: string): Manifest[] {
  const folder = mkdtempSync(join(tmpdir(), 'hospital-'));
  folders.push(folder);
  cpSync(join(k8s, 'overlays/server'), folder, { recursive: true });
  rmSync(join(folder, 'launcher.yaml'));
  // The folder is elsewhere than the one of a user.
  const text = block('Kustomization').replaceAll('../../', `${relative(folder, k8s)}/`);
  writeFileSync(join(folder, 'kustomization.yaml'), text);
  const settings = join(folder, 'settings/kustomization.yaml');
  const changed = readFileSync(settings, 'utf8')
    .replace(/.*SMART_LOCAL_FHIR=.*\n/, '')
    .replace(/BASE_URL=.*/, `BASE_URL=${baseUrl}`);
  writeFileSync(settings, changed);
  cpSync(join(k8s, 'tenants/smart-sandbox.json'), join(folder, 'hospital.json'));
  return kustomize(folder);
}

test('the overlay for your own EHR and archive is complete, and has nothing of the demonstration', () => {
  const manifests = hospital('https://images.hospital.example/img');
  const policy = parse(block('NetworkPolicy')) as Manifest;
  expect(strictProblems([...manifests, policy])).toEqual([]);
  const containers = containersOf(manifests);
  expect(containers.map(({ of }) => of).sort()).toEqual(['clinical', 'gateway', 'imaging', 'redis']);
  expect(new Set(containers.map(({ image }) => image))).toEqual(
    new Set(['registry.example.org/smart-imaging-gateway:0.1.0', 'redis:7.4.6-alpine']),
  );
  expect(Object.keys(one(manifests, 'ConfigMap', 'tenants-').data!)).toEqual(['hospital.json']);
  const { allowed, halfAllowed, open } = connectionsOf([...manifests, policy]);
  expect([halfAllowed, open]).toEqual([[], []]);
  expect(allowed).toContain('imaging → 10.20.30.0/24:104');
  expect(environmentOf(manifests, 'gateway')).toMatchObject({
    BASE_URL: 'https://images.hospital.example/img',
  });

  const keys = containers.flatMap(({ env = [] }) =>
    env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []),
  );
  const required = new Set(keys.filter(({ optional }) => !optional).map(({ key }) => key));
  const [, named] = /The Secret then needs only ([^.]+)\./.exec(readme)!;
  expect([...required].sort()).toEqual([...named!.matchAll(/`([a-z-]+)`/g)].map(([, key]) => key!).sort());
}, 60_000);

test.each([
  [
    'https://images.hospital.example/img',
    ['/img', '/.well-known/oauth-protected-resource/img', '/.well-known/oauth-authorization-server/img'],
  ],
  [
    'https://images.hospital.example/pacs',
    ['/pacs', '/.well-known/oauth-protected-resource/pacs', '/.well-known/oauth-authorization-server/pacs'],
  ],
  [
    'https://images.hospital.example/',
    ['/', '/.well-known/oauth-protected-resource/', '/.well-known/oauth-authorization-server/'],
  ],
])('with BASE_URL %s the entry leads these paths to the gateway', (baseUrl, paths) => {
  const manifests = hospital(baseUrl);
  const { hostnames, rules } = one(manifests, 'HTTPRoute', 'gateway').spec as unknown as {
    hostnames: string[];
    rules: { matches: { path: { value: string } }[] }[];
  };
  expect(rules.flatMap(({ matches }) => matches.map(({ path }) => path.value))).toEqual(paths);
  expect(hostnames).toEqual(['images.hospital.example']);
  expect(one(manifests, 'Certificate', 'entry').spec).toMatchObject({
    dnsNames: ['images.hospital.example'],
  });
});

test('the paths and names of its commands exist', () => {
  const paths = [...readme.matchAll(/kubectl apply -[fk] (\S+)/g)].map(([, path]) => path!);
  expect(paths.length).toBeGreaterThan(2);
  expect(paths.filter((path) => !existsSync(join(k8s, '..', path)))).toEqual([]);
  const folders = [...readme.matchAll(/`((?:base|overlays|components)\/[a-z/-]+)`/g)].map(
    ([, path]) => path!,
  );
  const missing = folders.filter((path) => path !== 'overlays/hospital' && !existsSync(join(k8s, path)));
  expect([folders.length > 8, missing]).toEqual([true, []]);

  const minikube = kustomize('overlays/minikube');
  const aliases = JSON.stringify(one(minikube, 'Deployment', 'gateway').spec);
  const [, address] = /service\.spec\.clusterIP=([\d.]+)/.exec(readme)!;
  expect(aliases).toContain(`"hostAliases":[{"hostnames":["launcher.imaging.test"],"ip":"${address}"}]`);
  expect(readme).toContain(environmentOf(minikube, 'gateway')['BASE_URL']);
  expect(containersOf(minikube).map(({ image }) => image)).toContain(
    /minikube image build -t (\S+) /.exec(readme)![1],
  );
});
