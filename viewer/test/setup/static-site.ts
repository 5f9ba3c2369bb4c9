/** The built viewer as static files of nginx, below a path and without a gateway behind it. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../../gateway/test/setup/child.ts';
import { freePort } from '../../../gateway/test/setup/free-port.ts';

export interface StaticSite {
  /** Address of the viewer, with a slash at the end. */
  url: string;
  stop(): Promise<void>;
}

/**
 * Starts nginx with the viewer at `/somewhere/`. One process without a master: its workers would be of another user.
 * @param files folder of a build
 */
export async function startStaticSite(files: string): Promise<StaticSite> {
  const directory = await mkdtemp(join(tmpdir(), 'static-'));
  const site = join(directory, 'site');
  await mkdir(site);
  await symlink(files, join(site, 'somewhere'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  const configuration = `
    daemon off; master_process off; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log;
    events { worker_connections 64; }
    http {
      include /etc/nginx/mime.types; access_log off; ${temporary.join(' ')}
      server { listen 127.0.0.1:${port}; root ${site}; }
    }`;
  const file = join(directory, 'nginx.conf');
  await writeFile(file, configuration);
  const nginx = await startChild('/usr/sbin/nginx', ['-c', file], () => canConnect(port));
  return {
    url: `http://localhost:${port}/somewhere/`,
    async stop() {
      await nginx.end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
