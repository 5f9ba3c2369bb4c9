/** A record with every element damaged in turn: all of it is in the tables. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildDataset } from '../../../subgraphs/analysis/build.ts';
import { loadEngine } from '../../../subgraphs/analysis/engine.ts';
import { RESOURCES } from '../../../subgraphs/analysis/test/resources.ts';
import { ownTables } from '../../../subgraphs/analysis/views/tables.ts';
import { openRecordFeed } from '../../../subgraphs/clinical/export/record-feed.ts';
import { loadStore } from '../../../subgraphs/clinical/sources/store/load.ts';

const WRONG = [null, 5, 'x', true, {}, [], [[null]], ['a', 'b'], [{}, {}], { reference: { a: 1 } }];

/** Yields a value with each of its elements in turn as something else. */
function* damaged(value: unknown): Generator<unknown> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, element] of Object.entries(value)) {
    if (key === 'resourceType' || key === 'id') continue;
    for (const other of [...WRONG, ...damaged(element)])
      yield Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other };
  }
}

test('each resource is in its table, and the rest of it too', async () => {
  const root = mkdtempSync(join(tmpdir(), 'damaged-'));
  const all = RESOURCES.flatMap((one) => [...damaged(one)] as object[]);
  const lines = all.map((one, at) => JSON.stringify({ ...one, id: `r${at}` }));
  writeFileSync(join(root, 'record.ndjson'), lines.join('\n'));
  loadStore(join(root, 'record.ndjson'), join(root, 'store.sqlite'));
  const record = openRecordFeed(join(root, 'store.sqlite'));
  const duckdb = await loadEngine();
  const instance = await duckdb.DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const options = { duckdb, connection, folder: root, tables: ownTables() };
  const tables = await buildDataset(options, { record, images: undefined });
  for (const { name, of, rows } of tables) {
    const own = all.filter((one) => (one as { resourceType: string }).resourceType === of?.type);
    if (name === of?.type.toLowerCase()) expect(rows, name).toBeGreaterThanOrEqual(own.length);
  }
  expect(tables.find(({ name }) => name === 'observation')!.refused).toMatchObject({
    first: expect.stringMatching(/^Observation\/r\d+$/),
  });
  record.close();
  connection.closeSync();
  instance.closeSync();
  rmSync(root, { recursive: true });
});
