/** The built gateway as a process, as `npm start` runs it, on a free port with its own data folder. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { startChild } from './child.ts';
import { BUILT_DEMO_IMAGES } from './demo-images.ts';
import { freePort } from './free-port.ts';

export interface GatewayProcess {
  /** `http://localhost:port`, or with an IPv6 `HOST` `http://[::1]:port`, without a slash at the end. */
  readonly url: string;
  /** `DATA_DIR`, unless the environment sets another one. */
  readonly dataDir: string;
  /** Its process id. */
  readonly pid: number;
  /** As `Child.log`. */
  log(): string;
  stop(): Promise<void>;
}

const program = join(import.meta.dirname, '../../../dist/gateway/main.js');

/**
 * Starts `dist/gateway/main.js` (built by `npm test`) and waits until it is ready. It makes the demo images first,
 * unless the tests have made them for all.
 * @param environment further settings, see docs/configuration.md
 * @param args of the program, such as `clinical` for the process of that subgraph
 */
export async function startGateway(
  environment: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<GatewayProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'gateway-'));
  if (existsSync(BUILT_DEMO_IMAGES)) {
    await mkdir(join(dataDir, 'demo'));
    await symlink(BUILT_DEMO_IMAGES, join(dataDir, 'demo/images'));
  }
  const port = environment['PORT'] ?? String(await freePort());
  const url = `http://${isIPv6(environment['HOST'] ?? '') ? '[::1]' : 'localhost'}:${port}`;
  // BASE_URL is set explicitly: Vite, and so the test runner, sets a variable of that name to something else.
  const own = {
    PORT: port,
    HOST: '127.0.0.1',
    BASE_URL: url,
    DATA_DIR: dataDir,
    SHUTDOWN_DELAY_SECONDS: '0',
  };
  const settings = { ...own, ...environment };
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const ready = async () => {
    const { statusCode, body } = await request(`${url}/health/ready`, { reset: true });
    await body.dump();
    return statusCode === 200;
  };
  const child = await startChild(
    '/usr/bin/env',
    [...assignments, process.execPath, program, ...args],
    ready,
    60_000,
  );
  return {
    url,
    dataDir,
    pid: child.process.pid!,
    log: child.log,
    async stop() {
      await child.end();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
