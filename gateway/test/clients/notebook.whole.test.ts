/** Programs of docs/ in Python. The cells of the notebook run one after the other, as Jupyter runs them. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { LONG } from '../setup/long.ts';
import { blocks } from '../../../docs/test/pages.ts';
import { ensureInstalled } from '../setup/parts.ts';
import { startDemoGateway } from './demo-gateway.ts';

const PACKAGES = '/usr/lib/python3/dist-packages';
/** Of Debian, in the long run only: they are larger than all other parts together. */
const PARTS = {
  'python3-requests': `${PACKAGES}/requests/__init__.py`,
  'python3-pandas': `${PACKAGES}/pandas/__init__.py`,
  'python3-matplotlib': `${PACKAGES}/matplotlib/__init__.py`,
};

interface Cell {
  cell_type: 'code' | 'markdown';
  source: readonly string[];
  outputs?: readonly unknown[];
  execution_count?: number | null;
}

async function cellsOf(): Promise<Cell[]> {
  const text = await readFile(join(import.meta.dirname, '../../../docs/playground-notebook.ipynb'), 'utf8');
  return (JSON.parse(text) as { cells: Cell[] }).cells.filter(({ cell_type: type }) => type === 'code');
}

test('the notebook has no outputs: they would be data of patients', async () => {
  const cells = await cellsOf();
  expect(cells.length).toBeGreaterThan(3);
  for (const { outputs, execution_count: count } of cells) expect([outputs, count]).toEqual([[], null]);
});

describe.runIf(LONG)('the notebook', () => {
  test('goes from a token to charts', async () => {
    ensureInstalled(PARTS);
    const [gateway, folder] = await Promise.all([
      startDemoGateway(),
      mkdtemp(join(tmpdir(), 'playground-notebook-')),
    ]);
    try {
      const program = (await cellsOf()).map(({ source }) => source.join('')).join('\n\n');
      const { stdout } = await promisify(execFile)('/usr/bin/python3', ['-c', program], {
        cwd: folder,
        env: {
          PATH: process.env['PATH'],
          HOME: folder,
          MPLBACKEND: 'Agg',
          TENANT_URL: gateway.tenant,
          ACCESS_TOKEN: await gateway.token(),
        },
      });
      expect(stdout).not.toContain('Error');
      const charts = (await readdir(folder)).filter((name) => name.endsWith('.png'));
      expect(charts.sort()).toEqual(['studies.png', 'trend-1.png']);
      for (const chart of charts) {
        const bytes = await readFile(join(folder, chart));
        expect(bytes.subarray(1, 4).toString()).toBe('PNG');
        expect(bytes.length).toBeGreaterThan(5000);
      }
    } finally {
      await gateway.close();
      await rm(folder, { recursive: true });
    }
  }, 600_000);
});

describe.runIf(LONG)('the page for analysts', () => {
  test('goes from a token to results before a CT', async () => {
    ensureInstalled(PARTS);
    const [gateway, folder] = await Promise.all([
      startDemoGateway(),
      mkdtemp(join(tmpdir(), 'analyse-data-')),
    ]);
    const run = async (program: string, text: string) => {
      const options = { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder } };
      return (await promisify(execFile)(program, ['-c', text], options)).stdout;
    };
    try {
      const secret = join(folder, '.data/demo/secret');
      await mkdir(dirname(secret), { recursive: true });
      await writeFile(secret, gateway.analyst.secret);
      const page = blocks.filter((block) => block.page === 'docs/analyse-data.md');
      const textOf = (wanted: string) =>
        page.flatMap(({ language, text }) => (language === wanted ? [text] : [])).join('\n');
      await run('/bin/sh', textOf('sh').replaceAll('http://localhost:4000/demo', gateway.tenant));
      const [head, ...rows] = (await run('/usr/bin/python3', textOf('python'))).trim().split('\n');
      expect(head).toMatch(/subject\.reference +started +days +loinc +code\.text/);
      expect(rows.length).toBeGreaterThan(5);
      expect(rows.join()).toMatch(/Patient\/demo-tomas-novak +2026-08-11 +21 +2160-0 +Creatinine/);
    } finally {
      await gateway.close();
      await rm(folder, { recursive: true });
    }
  }, 600_000);
});
