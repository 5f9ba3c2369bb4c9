/** Who may talk to whom, by the NetworkPolicies of a namespace (networking.k8s.io/v1). */
import { selects, workloads, type Labels, type Manifest } from './manifests.ts';

type Selector = Parameters<typeof selects>[0];
interface Peer {
  podSelector?: Selector;
  namespaceSelector?: { matchLabels: Labels };
  ipBlock?: { cidr: string };
}
interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: { port: number; protocol?: string }[];
}
interface PolicySpec {
  podSelector: Selector;
  policyTypes: ('Ingress' | 'Egress')[];
  ingress?: Rule[];
  egress?: Rule[];
}
interface Pod {
  name: string;
  labels: Labels;
  ports: number[];
}

export interface Connections {
  /** Connections that both ends allow, as `gateway → clinical:4000`; those with others name their namespace or network. */
  allowed: string[];
  /** Connections between pods that only one end allows. */
  halfAllowed: string[];
  /** Names of pods that policies do not close in one direction or the other. */
  open: string[];
}

/** Returns the connections that the policies allow. A rule without peers or ports, which allows everything, is an error. */
export function connectionsOf(manifests: readonly Manifest[]): Connections {
  const pods = workloads(manifests).map(({ metadata: { name }, spec: { template } }) => ({
    name,
    labels: template.metadata.labels,
    ports: template.spec.containers.flatMap(({ ports = [] }) =>
      ports.map(({ containerPort }) => containerPort),
    ),
  }));
  const policies = manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ spec }) => spec as unknown as PolicySpec);
  const by = { Ingress: new Set<string>(), Egress: new Set<string>() };
  const outside = new Set<string>();
  for (const pod of pods) {
    for (const direction of ['Ingress', 'Egress'] as const) {
      for (const { peer, port } of permissions(pod, direction, policies)) {
        for (const other of endsOf(peer, pods)) {
          const [from, to] = direction === 'Ingress' ? [other, pod] : [pod, other];
          const connection = `${from.name} → ${to.name}:${port}`;
          if (!other.ports) outside.add(connection);
          else if (to.ports?.includes(Number(port))) by[direction].add(connection);
        }
      }
    }
  }
  const both = (connection: string) => by.Ingress.has(connection) && by.Egress.has(connection);
  const isOpen = ({ labels }: Pod, direction: 'Ingress' | 'Egress') =>
    !policies.some(
      ({ podSelector, policyTypes }) => policyTypes.includes(direction) && selects(podSelector, labels),
    );
  return {
    allowed: [...[...by.Ingress].filter(both), ...outside].sort(),
    halfAllowed: [...by.Ingress, ...by.Egress].filter((connection) => !both(connection)),
    open: pods.filter((pod) => isOpen(pod, 'Ingress') || isOpen(pod, 'Egress')).map(({ name }) => name),
  };
}

function permissions(pod: Pod, direction: 'Ingress' | 'Egress', policies: PolicySpec[]) {
  return policies
    .filter(
      ({ podSelector, policyTypes }) => policyTypes.includes(direction) && selects(podSelector, pod.labels),
    )
    .flatMap(({ ingress = [], egress = [] }) => (direction === 'Ingress' ? ingress : egress))
    .flatMap(({ from, to, ports }) => {
      const peers = direction === 'Ingress' ? from : to;
      if (!peers?.length || !ports?.length) throw new Error(`a rule for ${pod.name} allows everything`);
      return peers.flatMap((peer) =>
        ports.map(({ port, protocol = 'TCP' }) => ({
          peer,
          port: protocol === 'TCP' ? `${port}` : `${port}/${protocol}`,
        })),
      );
    });
}

/** Returns the pods that a peer is, or what it is outside of the namespace, which has no ports. */
function endsOf(
  { namespaceSelector, podSelector, ipBlock }: Peer,
  pods: Pod[],
): (Pick<Pod, 'name'> & Partial<Pod>)[] {
  if (ipBlock) return [{ name: ipBlock.cidr }];
  if (!namespaceSelector) return pods.filter(({ labels }) => selects(podSelector!, labels));
  const labels = { ...namespaceSelector.matchLabels, ...podSelector?.matchLabels };
  return [{ name: `[${Object.values(labels).join(' ')}]` }];
}
