/** nginx in front of another server. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { freePort, isOpen } from './free-port.ts';

export const NGINX = '/usr/sbin/nginx';

/**
 * Starts nginx in the foreground, with one process.
 * @param directory for its files
 * @param http writes what is in its block `http`, for the port on which it listens
 */
export async function startNginx(
  directory: string,
  http: (port: number) => string,
): Promise<{ port: number; end(): Promise<void> }> {
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  const configuration = `
    daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log;
    events { worker_connections 64; }
    http {
      access_log off; ${temporary.join(' ')}
      ${http(port)}
    }`;
  const file = join(directory, 'nginx.conf');
  await writeFile(file, configuration);
  const nginx = await startChild(NGINX, ['-c', file], () => isOpen(port));
  return { port, end: () => nginx.end() };
}

/**
 * Starts nginx with TLS that accepts only clients with a certificate of an authority.
 * @param directory for its files
 */
export async function startTlsNginx(
  directory: string,
  upstream: string,
  { certificate, key, ca }: { certificate: string; key: string; ca: string },
): Promise<{ url: string; stop(): Promise<void> }> {
  const { port, end } = await startNginx(
    directory,
    (port) => `server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${certificate}; ssl_certificate_key ${key};
        ssl_client_certificate ${ca}; ssl_verify_client on;
        location / { proxy_pass ${upstream}; proxy_set_header Host $http_host; }
      }`,
  );
  return { url: `https://127.0.0.1:${port}`, stop: end };
}
