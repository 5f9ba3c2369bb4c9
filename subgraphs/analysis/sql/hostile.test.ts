import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../../schema/fault/fault.ts';
import { HOSTILE } from '../test/hostile-statements.ts';
import { CANARY, startAsking, writeReach, type Asking } from '../test/reach.ts';

let asking: Asking;
let canary: string;
let other: string;
beforeAll(async () => {
  asking = await startAsking();
  canary = join(asking.folder, 'canary.csv');
  other = join(asking.folder, 'other.duckdb');
  writeFileSync(canary, `content\n${CANARY}\n`);
  await writeReach(other);
  // The process is there, so that its folder is known.
  await asking.read('SELECT 1');
});
afterAll(() => asking.close());

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();

/** Returns what a caller gets: rows, or the message of the refusal. */
async function answered(sql: string): Promise<{ told: string; fault?: Fault }> {
  const scratch = readdirSync(asking.folder).find((name) => name.startsWith('query-')) ?? 'none';
  const paths = { CANARY: canary, OTHER: other, REACH: asking.reach, SCRATCH: join(asking.folder, scratch) };
  const statement = sql.replace(/CANARY|OTHER|REACH|SCRATCH/g, (name) => paths[name as keyof typeof paths]);
  try {
    return { told: await asking.read(statement) };
  } catch (error) {
    const fault = error as Fault;
    return { told: fault.message, fault };
  }
}

describe.each(Object.entries(HOSTILE))('a statement that %s', (_what, statements) => {
  test.each(statements)('%j', async (sql) => {
    const before = filesBelow(asking.folder);
    const { told, fault } = await answered(sql);
    expect(fault, told).toMatchObject({ code: 'unprocessable' });
    expect(told).not.toContain(CANARY);
    expect(told.toLowerCase()).not.toContain(asking.folder.toLowerCase());
    expect(told).toMatch(/^(Line \d+: )?\S.+$/);
    expect(filesBelow(asking.folder)).toEqual(before);
  });
});

test('the canaries are where the statements look for them', async () => {
  expect(readFileSync(canary, 'utf8')).toContain(CANARY);
  expect(await asking.read('SELECT * FROM secret', { tables: ['secret'] })).toContain(CANARY);
  expect(await asking.read('SELECT * FROM secret', { tables: ['secret'], reach: other })).toContain(CANARY);
});

test('the table has at least 200 statements', () => {
  expect(Object.values(HOSTILE).flat().length).toBeGreaterThanOrEqual(200);
});
