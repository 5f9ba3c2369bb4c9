import { expect, test } from 'vitest';
import { kustomize, one, OVERLAYS, type Manifest } from './manifests.ts';
import { strictProblems } from './strict.ts';

test('every manifest of the base and of both overlays is valid, without unknown keys', () => {
  const manifests = OVERLAYS.flatMap((overlay) => kustomize(overlay));
  expect(manifests.length).toBeGreaterThan(100);
  expect(strictProblems(manifests)).toEqual([]);
}, 60_000);

/** Changes one value of a copy. */
function changed(manifest: Manifest, path: string, value: unknown): Manifest {
  const copy = structuredClone(manifest);
  const keys = path.split('.');
  const last = keys.pop()!;
  const parent = keys.reduce<Record<string, unknown>>(
    (node, key) => node[key] as Record<string, unknown>,
    copy as never,
  );
  parent[last] = value;
  return copy;
}

test('wrong keys, values and kinds are found', () => {
  const server = kustomize('overlays/server');
  const gateway = one(server, 'Deployment', 'gateway');
  const route = one(server, 'HTTPRoute', 'gateway');
  const WRONG: [Manifest, RegExp][] = [
    [
      changed(gateway, 'spec.template.spec.containers.0.readynessProbe', {}),
      /Deployment gateway: .*"readynessProbe"/,
    ],
    [
      changed(gateway, 'spec.template.spec.containers.0.livenessProbe.httpGet.paht', '/'),
      /Deployment gateway: .*"paht"/,
    ],
    [changed(gateway, 'spec.template.spec.containers.0.imagePullPolicy', 1), /Deployment gateway: .*string/],
    [changed(gateway, 'spec.selector', undefined), /Deployment gateway: .*selector/],
    [
      changed(one(server, 'NetworkPolicy', 'gateway'), 'spec.ingres', []),
      /NetworkPolicy gateway: .*"ingres"/,
    ],
    [changed(route, 'spec.rules.0.timeouts.requests', '0s'), /HTTPRoute gateway: .*"requests"/],
    [changed(route, 'spec.rules.0.timeouts.request', 'never'), /HTTPRoute gateway: .*pattern/],
    [changed(one(server, 'Certificate', 'entry'), 'spec.dnsName', []), /Certificate entry: .*"dnsName"/],
    [changed(gateway, 'kind', 'Deploiment'), /Deploiment gateway: unknown kind of apps\/v1/],
  ];
  const found = strictProblems(WRONG.map(([manifest]) => manifest));
  for (const [, problem] of WRONG) expect(found).toContainEqual(expect.stringMatching(problem));
}, 60_000);
