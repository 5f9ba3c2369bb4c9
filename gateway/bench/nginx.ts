/** nginx as a proxy that buffers nothing: the cost of simply passing answers on. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../test/setup/child.ts';
import { freePort, isOpen } from '../test/setup/free-port.ts';

const NGINX = '/usr/sbin/nginx';

/**
 * Starts nginx.
 * @param directory for its files
 * @param upstream the server to which it passes everything on, over connections that are kept open
 * @throws when nginx is not installed
 */
export async function startNginx(
  directory: string,
  upstream: string,
): Promise<{ address: string; end(): Promise<void> }> {
  if (!existsSync(NGINX)) throw new Error('This benchmark needs nginx: apt-get install nginx-light');
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  const configuration = `
    daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log;
    events { worker_connections 64; }
    http {
      access_log off; ${temporary.join(' ')}
      upstream archive { server ${new URL(upstream).host}; keepalive 16; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://archive; proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";
        }
      }
    }`;
  const file = join(directory, 'nginx.conf');
  await writeFile(file, configuration);
  const nginx = await startChild(NGINX, ['-c', file], () => isOpen(port));
  return { address: `http://127.0.0.1:${port}`, end: () => nginx.end() };
}
