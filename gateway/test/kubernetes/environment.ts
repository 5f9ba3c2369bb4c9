/** The environment of a container, as Kubernetes gives it. */
import { generateKeyPairSync } from 'node:crypto';
import { one, podOf, type Container, type Manifest } from './manifests.ts';

export const SECRETS: Readonly<Record<string, string>> = {
  'client-jwk-private': JSON.stringify(
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' }),
  ),
  'sealing-key': 'a'.repeat(64),
  'operator-key': 'b'.repeat(64),
  'redis-password': 'c'.repeat(64),
};

/** Returns the first container of a workload. */
export const containerOf = (manifests: readonly Manifest[], workload: string): Container =>
  podOf(manifests, workload).containers[0]!;

/**
 * Returns the environment of a role, with a stand-in for every required secret; with `optional` for the others too. Values that
 * refer to other variables are expanded.
 */
export function environmentOf(
  manifests: readonly Manifest[],
  role: string,
  optional = false,
): Record<string, string> {
  const { env = [], envFrom = [] } = containerOf(manifests, role);
  const values: Record<string, string> = {};
  for (const { configMapRef } of envFrom) {
    if (configMapRef) Object.assign(values, one(manifests, 'ConfigMap', configMapRef.name).data);
  }
  for (const { name, value, valueFrom } of env) {
    const secret = valueFrom?.secretKeyRef;
    if (secret?.optional && !optional) continue;
    const text = value ?? SECRETS[secret!.key] ?? 'secret';
    values[name] = text.replace(/\$\((\w+)\)/g, (_all, other: string) => values[other]!);
  }
  return values;
}

/** Returns the tenant files of the ConfigMap by their names. */
export const tenantFiles = (manifests: readonly Manifest[]): Record<string, string> =>
  one(manifests, 'ConfigMap', 'tenants-').data!;
