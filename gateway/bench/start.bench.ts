/**
 * Time until `npm start` is ready: the first time, which makes the images of the demonstration, and later; and how long the
 * first introspection takes then; and how long it takes without the demonstration.
 */
import { getIntrospectionQuery } from 'graphql';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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
    const settings = await oneTenant(directory);
    const alone: Started[] = [];
    for (let round = 0; round < 5; round++) alone.push(await started(directory, settings));
    const middle = (what: keyof Started) => median(later.map((one) => one[what]));
    const withoutDemo = median(alone.map(({ seconds }) => seconds));
    return [
      { what: 'first start, demonstration included', value: first.seconds, unit: 's', atMost: 60 },
      { what: 'later starts', value: middle('seconds'), unit: 's', atMost: 3 },
      { what: 'a start without the demonstration', value: withoutDemo, unit: 's', atMost: 1.5 },
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

/** Writes a tenant that has nothing to load yet. @returns the environment of a server with it alone */
async function oneTenant(directory: string): Promise<string[]> {
  const folder = (name: string): string => join(directory, 'alone', name);
  for (const name of ['tenants', 'patients', 'images']) await mkdir(folder(name), { recursive: true });
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: folder('patients') },
    images: { type: 'folder', path: folder('images'), lookup: 'studies-by-mrn' },
    graphql: { introspection: true },
  };
  await writeFile(folder('tenants/open.json'), JSON.stringify(tenant));
  return [`TENANTS_DIR=${folder('tenants')}`];
}

/** @param more settings */
async function started(directory: string, more: readonly string[] = []): Promise<Started> {
  const port = await freePort();
  const ready = async () => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/health/ready`, { reset: true });
    await body.dump();
    return statusCode === 200;
  };
  const usual = [`PORT=${port}`, `DATA_DIR=${directory}`, 'LOG_LEVEL=warn', 'SHUTDOWN_DELAY_SECONDS=0'];
  let end = async () => {};
  const elapsed = await duration(async () => {
    const child = await startChild(
      '/usr/bin/env',
      [...usual, ...more, process.execPath, start],
      ready,
      120_000,
    );
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
