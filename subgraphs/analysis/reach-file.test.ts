/** A disk that is full while the rows of a caller are written. */
import { DuckDBInstance } from '@duckdb/node-api';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ReachTask } from './reach-file.ts';

const ROWS = 300_000;
/** Files may have so many blocks of 512 bytes: fewer than the rows need. */
const BLOCKS = 2_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reach-file-'));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  for (const [name, columns] of [
    ['compartment', `'Observation' AS type, 'o' || range AS id, 'p1' AS patient_id`],
    ['observation', `'o' || range AS id, 'p1' AS patient_id, md5(range::VARCHAR) AS value_text`],
  ] as const) {
    await mkdir(join(folder, name));
    await connection.run(
      `COPY (SELECT ${columns} FROM range(${ROWS})) TO '${join(folder, name, 'part-0.parquet')}' (FORMAT parquet)`,
    );
  }
  connection.closeSync();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('is told as the lack of room, and no part stays', async () => {
  const columns = ['id', 'patient_id', 'value_text'];
  const of = { type: 'Observation', key: 'id' };
  const task: ReachTask = {
    file: join(folder, 'reaches.duckdb'),
    folder,
    tables: [{ name: 'observation', columns, files: ['observation/part-0.parquet'], of }],
    hidden: { compartment: ['compartment/part-0.parquet'], link_step: [], link_end: [] },
    patients: ['p1'],
    studies: undefined,
    granular: {},
    links: undefined,
  };
  const code = `import { makeReach } from '${join(import.meta.dirname, 'reach-file.ts')}';
    console.log(JSON.stringify(await makeReach(JSON.parse(process.argv[1]))));`;
  const limited = `trap "" XFSZ; ulimit -f ${BLOCKS}; exec "$@"`;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', code, JSON.stringify(task)];
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', limited, 'sh', ...node]);
  expect(JSON.parse(stdout)).toMatchObject({
    failed: { code: 'unavailable', message: expect.stringMatching(/^There is no room on the disk/) },
  });
  expect((await readdir(folder)).toSorted()).toEqual(['compartment', 'observation']);
});
