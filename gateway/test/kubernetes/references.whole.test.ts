import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  containersOf,
  k8s,
  kustomize,
  one,
  OVERLAYS,
  selects,
  workloads,
  type Labels,
  type Manifest,
} from './manifests.ts';

const readme = readFileSync(join(k8s, 'README.md'), 'utf8');

/** Keys of the Secret `gateway` that the command of README.md makes, and those that it calls optional. */
const REQUIRED = [
  ...[...readme.matchAll(/--from-file=([a-z-]+)=/g)].map(([, key]) => key!),
  .../for key in ([a-z -]+); do/.exec(readme)![1]!.split(' '),
];
const OPTIONAL = [.../may also have ([^.]+)\./.exec(readme)![1]!.matchAll(/`([a-z-]+)`/g)].map(
  ([, key]) => key!,
);
/** Secrets that others make: cert-manager, and a command of README.md. */
const MADE_BY_OTHERS: Record<string, string[]> = {
  base: [],
  'overlays/minikube': ['entry-tls', 'mkcert'],
  'overlays/server': ['entry-tls', 'acme-account'],
};

/** Returns all values of a key at any depth. */
function valuesOf(node: unknown, name: string): unknown[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = !Array.isArray(node) && name in node ? [(node as Record<string, unknown>)[name]] : [];
  return [...own, ...Object.values(node).flatMap((child) => valuesOf(child, name))];
}

describe.each(OVERLAYS)('%s', (overlay) => {
  const manifests = kustomize(overlay);
  const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
  const names = (kind: string) => ofKind(kind).map(({ metadata }) => metadata.name);
  const podLabels = workloads(manifests).map(({ spec }) => spec.template.metadata.labels);

  it('every manifest is in the namespace, and no two have one name', () => {
    const inside = manifests.filter(({ kind }) => kind !== 'Namespace');
    expect(new Set(inside.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['smart-imaging']));
    const keys = manifests.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
    expect(keys.length).toBe(new Set(keys).size);
  });

  it('every ConfigMap, Secret and claim that a pod needs exists or is made by a command of README.md', () => {
    const configMaps = new Set([
      ...valuesOf(manifests, 'configMapRef').map((each) => (each as { name: string }).name),
      ...valuesOf(manifests, 'configMap').map((each) => (each as { name: string }).name),
    ]);
    expect([...configMaps].sort()).toEqual(names('ConfigMap').sort());
    // A change of their content is a new name, and so a restart.
    for (const name of configMaps) expect(name).toMatch(/^[a-z]+-[a-z0-9]{10}$/);

    const keys = valuesOf(manifests, 'secretKeyRef') as { name: string; key: string; optional?: boolean }[];
    expect(new Set(keys.map(({ name }) => name))).toEqual(new Set(['gateway']));
    const keysOf = (optional: boolean) =>
      [...new Set(keys.filter((each) => (each.optional ?? false) === optional).map(({ key }) => key))].sort();
    expect(keysOf(false)).toEqual([...REQUIRED].sort());
    expect(keysOf(true)).toEqual([...OPTIONAL].sort());
    const secrets = [
      ...valuesOf(manifests, 'secretName'),
      ...valuesOf(manifests, 'certificateRefs').flatMap((refs) => valuesOf(refs, 'name')),
      ...valuesOf(manifests, 'privateKeySecretRef').flatMap((ref) => valuesOf(ref, 'name')),
    ];
    expect([...new Set(secrets)].sort()).toEqual([...MADE_BY_OTHERS[overlay]!].sort());

    const claims = valuesOf(manifests, 'persistentVolumeClaim').map(
      (each) => (each as { claimName: string }).claimName,
    );
    expect(claims.sort()).toEqual(names('PersistentVolumeClaim').sort());
  });

  it('every mounted volume exists, and every volume is mounted', () => {
    for (const { metadata, spec } of workloads(manifests)) {
      const { containers, volumes = [] } = spec.template.spec;
      const made = [
        ...volumes,
        ...(spec.volumeClaimTemplates ?? []).map(({ metadata: { name } }) => ({ name })),
      ];
      const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
      expect([metadata.name, ...mounted.map(({ name }) => name).sort()]).toEqual([
        metadata.name,
        ...made.map(({ name }) => name).sort(),
      ]);
    }
  });

  it('every selector selects a pod', () => {
    type Selector = Parameters<typeof selects>[0];
    const selectors = ['podSelector', 'labelSelector', 'selector'].flatMap((key) =>
      manifests.flatMap(({ kind, metadata, spec }) =>
        valuesOf(spec, key).map((value) => ({ of: `${kind} ${metadata.name}`, value: value as Selector })),
      ),
    );
    // A Service has labels alone.
    const isEmpty = ({ value }: { value: Selector }) => {
      const isWhole = 'matchLabels' in value || 'matchExpressions' in value;
      const selector = isWhole ? value : { matchLabels: value as Labels };
      return !podLabels.some((labels) => selects(selector, labels));
    };
    // They select pods of another namespace, and of cert-manager.
    const elsewhere = overlay === 'overlays/server' ? ['NetworkPolicy acme-challenge'] : [];
    expect(selectors.length).toBeGreaterThan(30);
    const unmatched = selectors.filter(isEmpty).map(({ of }) => of);
    expect(unmatched.sort()).toEqual([
      ...(overlay === 'overlays/server' ? elsewhere : []),
      'NetworkPolicy dns',
    ]);
  });

  it('every port that a Service or a probe names is one of its pods', () => {
    const services = ofKind('Service') as (Manifest & {
      spec: { selector: Record<string, string>; ports: { targetPort: string }[] };
    })[];
    for (const { metadata, spec } of services) {
      const behind = workloads(manifests).filter(({ spec: { template } }) =>
        selects({ matchLabels: spec.selector }, template.metadata.labels),
      );
      expect([metadata.name, behind.length]).toEqual([metadata.name, 1]);
      const ports = behind[0]!.spec.template.spec.containers.flatMap(({ ports = [] }) =>
        ports.map(({ name }) => name),
      );
      for (const { targetPort } of spec.ports) expect(ports).toContain(targetPort);
    }
    for (const { of, ports = [], startupProbe, livenessProbe, readinessProbe } of containersOf(manifests)) {
      const probes = [startupProbe, livenessProbe, readinessProbe];
      // The Job ends by itself.
      expect([of, probes.every(Boolean)]).toEqual([of, of !== 'samples']);
      for (const port of valuesOf(probes, 'port')) expect(ports.map(({ name }) => name)).toContain(port);
    }
  });

  it('every host name inside the cluster is a Service', () => {
    const texts = JSON.stringify([
      manifests.filter(({ kind }) => kind !== 'ConfigMap'),
      ...ofKind('ConfigMap').map(({ data }) => data),
    ]);
    const hosts = [
      ...texts.matchAll(/(?:https?|dimse|jdbc:postgresql|redis):\/\/(?:[^/"\\@]*@)?([a-z]+)(?=[:/"\\])/g),
    ];
    const named = new Set(hosts.map(([, host]) => host!));
    expect([...named].filter((host) => !names('Service').includes(host))).toEqual([]);
    expect(named).toContain('orthanc');
  });

  it('the roles are scaled and disrupted on their own', () => {
    const roles = ['clinical', 'gateway', 'imaging'];
    expect(names('PodDisruptionBudget').sort()).toEqual(roles);
    const scaled = ofKind('HorizontalPodAutoscaler');
    expect(scaled.map(({ metadata }) => metadata.name).sort()).toEqual(
      overlay === 'overlays/minikube' ? [] : roles,
    );
    for (const { metadata, spec } of scaled) {
      expect(spec!['scaleTargetRef']).toEqual({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        name: metadata.name,
      });
      // A number here would undo what the autoscaler did, at every apply.
      expect(one(manifests, 'Deployment', metadata.name).spec).not.toHaveProperty('replicas');
    }
  });
});
