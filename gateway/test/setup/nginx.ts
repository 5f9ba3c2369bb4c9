/** nginx in front of another server. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
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
): Promise<{ port: number; pid: number; end(): Promise<void> }> {
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  const configuration = `
    daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log;
    events { worker_connections 4096; }
    http {
      access_log off; ${temporary.join(' ')}
      ${http(port)}
    }`;
  const file = join(directory, 'nginx.conf');
  await writeFile(file, configuration);
  const nginx = await startChild(NGINX, ['-c', file], () => isOpen(port));
  return { port, pid: nginx.process.pid!, end: () => nginx.end() };
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

const ACCEL = join(import.meta.dirname, '../../../k8s/components/accel/nginx');

/**
 * Starts nginx with the configuration that operators get (k8s/components/accel), with other addresses.
 * @param directory for its files, among them `access.log`
 * @param archive endpoint of the archive that it may reach
 * @param gateway URL without a path
 */
export async function startAccelNginx(
  directory: string,
  { key, gateway, archive }: { key: string; gateway: string; archive: string },
): Promise<{ url: string; pid: number; end(): Promise<void> }> {
  const template = await readFile(join(ACCEL, 'accel.conf.template'), 'utf8');
  await copyFile(join(ACCEL, 'archive.conf'), join(directory, 'archive.conf'));
  const { host, pathname } = new URL(archive);
  const { port, ...nginx } = await startNginx(directory, (port) =>
    template
      .replaceAll('${ACCEL_KEY}', key)
      .replaceAll('127.0.0.1:4000', new URL(gateway).host)
      .replaceAll('orthanc:8042', host)
      .replaceAll('/dicom-web/', `${pathname}/`)
      .replaceAll('/etc/nginx/accel', directory)
      .replace('/dev/stdout', `${directory}/access.log`)
      .replace('listen 8080', `listen 127.0.0.1:${port}`),
  );
  return { url: `http://127.0.0.1:${port}`, ...nginx };
}
