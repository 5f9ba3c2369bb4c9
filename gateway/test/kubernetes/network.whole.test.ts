import { describe, expect, it } from 'vitest';
import { kustomize, OVERLAYS, type Manifest } from './manifests.ts';
import { connectionsOf } from './network.ts';

const ROLES = ['gateway', 'clinical', 'imaging'];
const ALL = [...ROLES, 'redis', 'postgres', 'orthanc', 'hapi', 'launcher', 'samples'];

/** Every connection that is allowed, and no other. */
const TABLE: [from: string | string[], to: string | string[], ports: number | (number | string)[]][] = [
  ['[traefik]', 'gateway', 4000],
  ['[traefik]', 'launcher', 8080],
  ['[monitoring]', ROLES, 9464],
  ['gateway', ['clinical', 'imaging'], 4000],
  ['clinical', 'imaging', 4000],
  ['imaging', 'clinical', 4000],
  [ROLES, 'redis', 6379],
  // EHRs and archives elsewhere, and the launcher by its public address.
  [ROLES, ['0.0.0.0/0', '::/0'], 443],
  [ROLES, '[traefik]', 8443],
  ['imaging', 'orthanc', [8042, 4242]],
  // Deliveries of C-MOVE.
  ['orthanc', 'imaging', 30104],
  [['orthanc', 'hapi'], 'postgres', 5432],
  ['launcher', 'hapi', 8080],
  ['samples', 'hapi', 8080],
  ['samples', 'orthanc', 8042],
  [ALL, '[kube-system kube-dns]', [53, '53/UDP']],
];
const expected = TABLE.flatMap(([from, to, ports]) =>
  [from]
    .flat()
    .flatMap((source) =>
      [to].flat().flatMap((target) => [ports].flat().map((port) => `${source} → ${target}:${port}`)),
    ),
).sort();

describe.each(OVERLAYS)('%s', (overlay) => {
  it('allows these connections and no others', () => {
    const { allowed, halfAllowed, open } = connectionsOf(kustomize(overlay));
    expect(allowed).toEqual(expected);
    expect([halfAllowed, open]).toEqual([[], []]);
  });
});

describe('what the table would miss without these checks', () => {
  const base = kustomize('base');
  const without = (name: string) =>
    base.filter(({ kind, metadata }) => kind !== 'NetworkPolicy' || metadata.name !== name);

  it('pods without the policy that denies everything', () => {
    expect(connectionsOf(without('default-deny')).open).toEqual(['samples']);
  });

  it('a policy at one end only', () => {
    expect(connectionsOf(without('every-role-to-redis')).halfAllowed).toContain('gateway → redis:6379');
  });

  it('a rule that allows everybody', () => {
    const spec = { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] };
    const everybody: Manifest = { ...base.find(({ kind }) => kind === 'NetworkPolicy')!, spec };
    expect(() => connectionsOf([...base, everybody])).toThrow('allows everything');
  });
});
