/** FG-29: a stream needs the same memory, however long it is, and lets others have their turn. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { OBSERVATIONS, PATIENTS, writeRecord } from './setup/streamed-record.ts';
import { harmOf, MOST_HELD, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

/** Megabytes by which resident memory may grow beyond that of a first stream. */
const MOST_GROWTH = 50;
const QUERY =
  '{ ObservationConnection { edges { resource { id code { text } valueQuantity { value unit } } } } }';

const directory = mkdtempSync(join(tmpdir(), 'stream-memory-'));
let gateway: WatchedGateway;

beforeAll(async () => {
  writeRecord(join(directory, 'record.ndjson'));
  mkdirSync(join(directory, 'images'));
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const clinical = { type: 'store', path: join(directory, 'record.ndjson') };
  const images = { type: 'folder', path: join(directory, 'images'), lookup: 'all-studies-on-server' };
  gateway = await startWatchedGateway({ tenants: { t: { authorization, clinical, images } } });
  await vi.waitFor(async () => expect(await rows('id')).toBe(PATIENTS * OBSERVATIONS), {
    timeout: 240_000,
    interval: 1_000,
  });
}, 300_000);
afterAll(async () => {
  await gateway?.stop();
  rmSync(directory, { recursive: true });
});

/** Reads a stream of CSV. @returns its rows */
async function rows(fields?: string): Promise<number> {
  const query = fields ? `{ ObservationConnection { edges { resource { ${fields} } } } }` : QUERY;
  const { statusCode, body } = await request(`${gateway.url}/t/graphql`, {
    method: 'POST',
    headers: { accept: 'text/csv', 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  expect(statusCode).toBe(200);
  let lines = -1;
  for await (const chunk of body) for (const byte of chunk as Buffer) if (byte === 10) lines++;
  return lines;
}

test(`${PATIENTS * OBSERVATIONS} rows take less than ${MOST_GROWTH} MB, and no long turn of the event loop`, async () => {
  await rows();
  const { growth, held, failures } = await harmOf(gateway, async () => {
    expect(await rows()).toBe(PATIENTS * OBSERVATIONS);
  });
  expect(growth).toBeLessThan(MOST_GROWTH);
  expect(held).toBeLessThan(MOST_HELD);
  expect(failures).toBe(0);
}, 120_000);
