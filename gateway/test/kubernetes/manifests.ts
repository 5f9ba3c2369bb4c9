/** The manifests of k8s/ as kustomize makes them, for tests. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

/** The folder k8s/. */
export const k8s = resolve(import.meta.dirname, '../../../k8s');

/** The overlays that users apply, and what they have in common. */
export const OVERLAYS = ['base', 'overlays/minikube', 'overlays/server'] as const;

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels };
  data?: Record<string, string>;
  spec?: Record<string, unknown>;
}
export type Labels = Record<string, string>;

export interface PodSpec {
  terminationGracePeriodSeconds?: number;
  securityContext: Record<string, unknown>;
  containers: Container[];
  volumes?: Volume[];
}
interface Volume {
  name: string;
  configMap?: { name: string };
  secret?: { secretName: string };
  emptyDir?: { sizeLimit?: string };
  persistentVolumeClaim?: { claimName: string };
}
interface Reference {
  name: string;
  key: string;
  optional?: boolean;
}
export interface Container {
  name: string;
  image: string;
  command?: string[];
  env?: {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef?: Reference; configMapKeyRef?: Reference };
  }[];
  ports?: { name: string; containerPort: number }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  securityContext: Record<string, unknown>;
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  lifecycle?: { preStop: { exec: { command: string[] } } };
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
}
export interface Probe {
  httpGet?: { path: string; port: string };
  tcpSocket?: { port: string };
  exec?: { command: string[] };
}
/** A kind that starts pods. */
export interface Workload extends Manifest {
  spec: {
    template: { metadata: { labels: Labels }; spec: PodSpec };
    volumeClaimTemplates?: { metadata: { name: string } }[];
  } & Record<string, unknown>;
}

const built = new Map<string, Manifest[]>();

/** Builds a folder with kustomize; once for each folder of k8s/. @param folder absolute, or below k8s/ */
export function kustomize(folder: string): Manifest[] {
  const known = built.get(folder);
  if (known) return known;
  const yaml = execFileSync('kustomize', ['build', resolve(k8s, folder)], { encoding: 'utf8' });
  const manifests = parseAllDocuments(yaml).map((document) => document.toJS() as Manifest);
  built.set(folder, manifests);
  return manifests;
}

/** Returns the manifest of this kind and name; a name that ends with `-` is that of a ConfigMap before its hash. */
export function one(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter(
    ({ kind: each, metadata }) =>
      each === kind && (name.endsWith('-') ? metadata.name.startsWith(name) : metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} of ${kind} ${name}`);
  return found[0]!;
}

export function workloads(manifests: readonly Manifest[]): Workload[] {
  return manifests.filter(({ spec }) => spec !== undefined && 'template' in spec) as Workload[];
}

/** Returns the pods of a workload. */
export function podOf(manifests: readonly Manifest[], name: string): PodSpec {
  const found = workloads(manifests).filter(({ metadata }) => metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} workloads ${name}`);
  return found[0]!.spec.template.spec;
}

/** Returns the containers of all workloads, each with the name of its workload. */
export function containersOf(manifests: readonly Manifest[]): (Container & { of: string })[] {
  return workloads(manifests).flatMap(({ metadata, spec }) =>
    spec.template.spec.containers.map((container) => ({ ...container, of: metadata.name })),
  );
}

interface Selector {
  matchLabels?: Labels;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}

/** Returns true if a label selector matches; an empty one matches everything. @throws Error for an operator besides In */
export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      if (operator !== 'In') throw new Error(`operator ${operator}`);
      return values.includes(labels[key]!);
    })
  );
}
