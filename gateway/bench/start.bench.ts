/**
 * Time until `npm start` is ready: the first time, which makes the images of the demonstration, and later; and how long the
 * first introspection takes then.
 */
import { getIntrospectionQuery } from 'graphql';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { startChild } from '../test/setup/child.ts';
import { freePort } from '../test/setup/free-port.ts';
import { duration, median, type Figure } from './measure.ts';

const start = join(import.meta.dirname, '../start.mjs');

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'start-'));
  try {
    const first = await started(directory);
    const later: Started[] = [];
    for (let round = 0; round < 5; round++) later.push(await started(directory));
    const middle = (what: keyof Started) => median(later.map((one) => one[what]));
    return [
      { what: 'first start, demonstration included', value: first.seconds, unit: 's', atMost: 60 },
      { what: 'later starts', value: middle('seconds'), unit: 's', atMost: 3 },
      { what: 'first introspection after a start', value: middle('introspection'), unit: 'ms', atMost: 20 },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Started {
  seconds: number;
  /** Milliseconds of the first introspection. */
  introspection: number;
}

async function started(directory: string): Promise<Started> {
  const port = await freePort();
  const ready = async () => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/health/ready`, { reset: true });
    await body.dump();
    return statusCode === 200;
  };
  const environment = [`PORT=${port}`, `DATA_DIR=${directory}`, 'LOG_LEVEL=warn', 'SHUTDOWN_DELAY_SECONDS=0'];
  let end = async () => {};
  const elapsed = await duration(async () => {
    const child = await startChild('/usr/bin/env', [...environment, process.execPath, start], ready, 120_000);
    end = () => child.end();
  });
  const introspection = await duration(async () => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/open/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-encoding': 'br' },
      body: JSON.stringify({ query: getIntrospectionQuery() }),
    });
    await body.dump();
    if (statusCode !== 200) throw new Error(`the introspection was answered with ${statusCode}`);
  });
  await end();
  return { seconds: elapsed / 1000, introspection };
}
