/** A real Redis on a free loopback port, in memory only. */
import { Redis as Client } from 'ioredis';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SharedRedis } from '../../state/redis.ts';
import { startChild } from './child.ts';
import { freePort } from './free-port.ts';

export interface Redis {
  /** `redis://127.0.0.1:port` or `redis://[::1]:port`, for REDIS_URL. */
  readonly url: string;
  readonly port: number;
  /** Ends the process and with it all data. Safe to call twice. */
  stop(): Promise<void>;
  /** Accepts connections but answers nothing, until `thaw`. */
  freeze(): void;
  thaw(): void;
}

/**
 * Starts Redis and waits until it answers PING. Call `stop()` in `afterAll`.
 * @param at the port of an earlier one (default: a free port)
 */
export async function startRedis(at?: number, host: '127.0.0.1' | '::1' = '127.0.0.1'): Promise<Redis> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-'));
  const port = at ?? (await freePort());
  const settings = { port, bind: host, dir: directory, save: '', appendonly: 'no' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = await startChild('/usr/bin/redis-server', args, () => ping(port, host));
  return {
    url: `redis://${host === '::1' ? '[::1]' : host}:${port}`,
    port,
    freeze: () => void child.process.kill('SIGSTOP'),
    thaw: () => void child.process.kill('SIGCONT'),
    async stop() {
      await child.end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Opens a connection without timeouts, for tests of other things than Redis: it waits as long as a loaded machine
 * takes.
 */
export function patientRedis({ url }: Pick<Redis, 'url'>): SharedRedis {
  const client = new Client(url);
  return {
    client,
    reachable: () => client.status === 'ready',
    onChange: () => undefined,
    close: () => client.disconnect(),
  };
}

function ping(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write('PING\r\n'));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('data', (answer) => {
      resolve(answer.toString().startsWith('+PONG'));
      socket.end();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(false));
  });
}
