/** nginx in front of each role, as a Service of Kubernetes and an entry would be; docs/deployment.md explains its settings. */
import { readFileSync } from 'node:fs';
import { freePort } from '../setup/free-port.ts';
import { startNginx } from '../setup/nginx.ts';
import type { Place } from './network.ts';

export const ROLES = ['gateway', 'clinical', 'imaging'] as const;
export type Role = (typeof ROLES)[number];

export interface Balancers {
  /** URL of each role. */
  urls: Record<Role, string>;
  /** Id of the process that answers. */
  pid: number;
  end(): Promise<void>;
}

const AWAY = {
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'error', code: 'transient', diagnostics: 'No process of this role answers.' }],
};

/**
 * Starts nginx.
 * @param servers addresses and ports of the processes of each role; they may be started later
 * @param at where the subgraphs are called; the entry is on loopback
 */
export async function startBalancers(
  directory: string,
  servers: Record<Role, readonly string[]>,
  at: Place,
): Promise<Balancers> {
  const [clinical, imaging] = [await freePort(), await freePort()];
  const addresses = (port: number): Record<Role, string> => ({
    gateway: `127.0.0.1:${port}`,
    clinical: `${at.address}:${clinical}`,
    imaging: `${at.address}:${imaging}`,
  });
  const { port, pid, end } = await startNginx(
    directory,
    (port) => `
      # A process that refuses or does not answer a connection gets none for 2 seconds.
      ${ROLES.map((role) => upstream(role, servers[role])).join('')}
      proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_connect_timeout 500ms; proxy_read_timeout 120s; proxy_buffering off;
      # All requests but those of the second location only read, those that are posted too.
      proxy_next_upstream error timeout non_idempotent; proxy_next_upstream_tries 3;
      ${ROLES.map((role) => server(role, addresses(port)[role])).join('')}`,
  );
  const urls = Object.fromEntries(ROLES.map((role) => [role, `http://${addresses(port)[role]}`]));
  const [worker] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return { urls: urls as Record<Role, string>, pid: Number(worker), end };
}

const upstream = (role: Role, servers: readonly string[]) => `upstream ${role} {
  ${servers.map((server) => `server ${server} max_fails=1 fail_timeout=2s;`).join('\n')} }
`;

const server = (role: Role, address: string) => `server {
  listen ${address};
  error_page 502 504 = @away;
  location / { proxy_pass http://${role}; }
  location ~ /oauth/|/\\$export$ { proxy_next_upstream error timeout; proxy_pass http://${role}; }
  location @away {
    default_type application/fhir+json; add_header Retry-After 2 always;
    return 503 '${JSON.stringify(AWAY)}';
  }
}
`;
