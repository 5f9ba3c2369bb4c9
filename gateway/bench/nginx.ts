/** nginx as a proxy that buffers nothing: the cost of simply passing answers on. */
import { existsSync } from 'node:fs';
import { NGINX, startNginx } from '../test/setup/nginx.ts';

/**
 * Starts nginx.
 * @param directory for its files
 * @param upstream the server to which it passes everything on, over connections that are kept open
 * @param buffer size of what it reads at once, such as `64k`
 * @throws when nginx is not installed
 */
export async function startNginxProxy(
  directory: string,
  upstream: string,
  buffer = '4k',
): Promise<{ address: string; pid: number; end(): Promise<void> }> {
  if (!existsSync(NGINX)) throw new Error('This benchmark needs nginx: apt-get install nginx-light');
  const { port, ...nginx } = await startNginx(
    directory,
    (port) => `upstream archive { server ${new URL(upstream).host}; keepalive 16; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_buffer_size ${buffer}; proxy_buffers 8 ${buffer}; proxy_busy_buffers_size ${buffer};
          proxy_pass http://archive; proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";
        }
      }`,
  );
  return { address: `http://127.0.0.1:${port}`, ...nginx };
}
