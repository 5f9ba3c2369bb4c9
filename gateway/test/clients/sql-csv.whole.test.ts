/** CSV of a statement of SQL, read by the tools of analysts: the rows are those of NDJSON. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LONG } from '../setup/long.ts';
import { ensureInstalled } from '../setup/parts.ts';
import { rowsOf, startSqlGateway, type SqlGateway } from '../sql-gateway.ts';

/** Of Debian, in the long run only: they are larger than all other parts together. */
const PARTS = {
  'python3-pandas': '/usr/lib/python3/dist-packages/pandas/__init__.py',
  'r-base-core': '/usr/bin/Rscript',
  'r-cran-jsonlite': '/usr/lib/R/site-library/jsonlite/DESCRIPTION',
};

/** Texts with commas and quotes, numbers, times, and cells without a value. */
const STATEMENTS = [
  `SELECT s.id, s.modality, s.started, s.instances, s.instances / 8 AS share, p.gender, '"' || s.description || '",' AS text
    FROM imaging_study s JOIN patient p USING (patient_id) ORDER BY s.id`,
  'SELECT id, code, display, effective, value, unit, value_text FROM observation ORDER BY id',
];
const PROGRAMS: Record<string, [command: string, ...args: string[]]> = {
  pandas: [
    '/usr/bin/python3',
    '-c',
    'import pandas, sys; print(pandas.read_csv(sys.argv[1], dtype={"id": str, "code": str}).to_json(orient="records", double_precision=15))',
  ],
  R: [
    '/usr/bin/Rscript',
    '-e',
    'rows <- read.csv(commandArgs(TRUE)[1], colClasses = c(id = "character", code = "character"), na.strings = ""); cat(jsonlite::toJSON(rows, na = "null", digits = NA))',
  ],
};

describe.runIf(LONG)('CSV of a statement', () => {
  let system: SqlGateway;
  let token: string;
  let folder: string;
  beforeAll(async () => {
    ensureInstalled(PARTS);
    system = await startSqlGateway();
    token = await system.tokenOf('analyst');
    folder = await mkdtemp(join(tmpdir(), 'sql-csv-'));
  }, 600_000);
  afterAll(async () => {
    await system?.gateway.close();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(
    STATEMENTS.flatMap((sql, at) =>
      Object.entries(PROGRAMS).map(([name, command]) => ({ sql, at: at + 1, name, command })),
    ),
  )('$name reads the rows of statement $at', async ({ sql, command: [program, ...args] }) => {
    const file = join(folder, 'rows.csv');
    await writeFile(file, await (await system.sql(sql, token, '?_format=csv')).text());
    const { stdout } = await promisify(execFile)(program, [...args, file], { maxBuffer: 64 * 1024 * 1024 });
    const rows = await rowsOf(await system.sql(sql, token));
    expect(rows.length).toBeGreaterThan(5);
    const texts = (rows: object[]) =>
      rows.map((row) =>
        Object.values(row).map((value) => (typeof value === 'number' ? value : String(value ?? ''))),
      );
    expect(texts(JSON.parse(stdout) as object[])).toEqual(texts(rows));
  });
});
