/** Time until `npm start` is ready: the first time, which makes the images of the demonstration, and later. */
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
    const first = await secondsUntilReady(directory);
    const later: number[] = [];
    for (let round = 0; round < 5; round++) later.push(await secondsUntilReady(directory));
    return [
      { what: 'first start, demonstration included', value: first, unit: 's', atMost: 60 },
      { what: 'later starts', value: median(later), unit: 's', atMost: 3 },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function secondsUntilReady(directory: string): Promise<number> {
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
  await end();
  return elapsed / 1000;
}
