/** The tab of SQL in the playground, with a server that answers as the gateway does. */
import { beforeEach, expect, test } from 'vitest';
import { page } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import type { Texts } from '../../src/playground/graphiql/query-editor.ts';
import { KeptQueries } from '../../src/playground/kept/kept-queries.ts';
import type { PageFacts } from '../../src/playground/page-facts.ts';
import type { SqlEditor, SqlEditorOptions } from '../../src/playground/sql/sql-editor.ts';
import SqlTab from '../../src/playground/sql/SqlTab.svelte';
import { memoryStorage } from '../../src/state/browser/browser-storage.ts';
import { PHONE, scrollsSideways, shot, violations } from './open.ts';
import { column, header, picture } from './playground-answers.ts';

const VIEWS = {
  resourceType: 'Bundle',
  entry: [
    {
      resource: {
        resourceType: 'ViewDefinition',
        name: 'imaging_study',
        description: 'One row for each study.',
        select: [
          { column: Object.entries({ id: 'id', modality: 'code' }).map(([name, type]) => ({ name, type })) },
        ],
      },
    },
  ],
};
const facts: PageFacts = {
  tenant: 'demo',
  base: 'http://gateway/demo',
  gateway: 'http://gateway/',
  access: 'none',
  explains: false,
};

type Server = (url: URL, request: RequestInit) => Response | Promise<Response>;
const outcome = (status: number, diagnostics: string) =>
  Response.json(
    { resourceType: 'OperationOutcome', issue: [{ severity: 'error', diagnostics }] },
    { status },
  );
const rows = (...all: object[]) => new Response(all.map((row) => `${JSON.stringify(row)}\n`).join(''));

const button = (name: string) => page.getByRole('button', { name, exact: true });
const editor = () => page.getByRole('textbox', { name: 'Statement of SQL' });
let marks: (object | undefined)[];
let asked: { url: URL; body: unknown }[];
let needed: number;
let edited: Texts | undefined;

/** A field in the place of Monaco. */
function field(element: HTMLElement, options: SqlEditorOptions): Promise<SqlEditor> {
  const area = document.createElement('textarea');
  area.ariaLabel = 'Statement of SQL';
  area.value = options.text;
  area.style.cssText = 'width: 100%; height: 100%';
  area.oninput = () => options.onedit(area.value);
  element.append(area);
  const setText = (text: string) => {
    area.value = text;
    options.onedit(text);
  };
  return Promise.resolve({
    setText,
    insert: (text) => setText(area.value + text),
    mark: (wrong) => marks.push(wrong),
    close: () => area.remove(),
  });
}

async function open(
  server: Server,
  {
    hasToken = true,
    access = 'none' as PageFacts['access'],
    size = [1280, 800] as readonly [number, number],
    views = () => Response.json(VIEWS),
    first = undefined as Texts | undefined,
  } = {},
) {
  await cleanup();
  await page.viewport(...size);
  [marks, asked, needed] = [[], [], 0];
  const { container } = await render(SqlTab, {
    facts: { ...facts, access },
    access: {
      granted: undefined,
      fetch: async (url: string, request: RequestInit) => {
        const one = new URL(url);
        asked.push({ url: one, body: request.body });
        return one.pathname.endsWith('/ViewDefinition') ? views() : server(one, request);
      },
    },
    load: picture,
    kept: new KeptQueries(memoryStorage()),
    first,
    hasToken,
    onneed: () => needed++,
    onedit: (texts) => (edited = texts),
    openEditor: field,
  });
  container.style.cssText =
    size[0] > 900
      ? `display: grid; grid-template: 'aside main' ${size[1]}px / 300px minmax(0, 1fr)`
      : 'display: block';
}

beforeEach(() => void (document.body.style.margin = '0'));

test('rows of a statement are a table with studies that open, a pivot and a chart', async () => {
  await open(() =>
    rows(
      { study_id: '2.25.1', modality: 'CT', year: 2024, studies: 4 },
      { study_id: '2.25.2', modality: 'MR', year: 2025, studies: 2 },
      { study_id: '2.25.1', modality: 'CT', year: 2025, studies: 5 },
    ),
  );
  await button('Run').click();
  await expect.element(header('modality')).toBeInTheDocument();
  expect(column(1)).toEqual(['CT', 'MR', 'CT']);
  await expect
    .element(page.getByRole('link', { name: '2.25.2' }))
    .toHaveAttribute('href', 'http://gateway/app/?tenant=demo&study=2.25.2');
  const run = asked.at(-1)!;
  expect(`${run.url.pathname}${run.url.search}`).toBe('/demo/fhir/$sql-run?_format=ndjson');
  expect(run.body).toContain('FROM imaging_study');
  expect(await violations()).toEqual([]);
  await shot('playground-sql');
  await page.getByText('Pivot', { exact: true }).click();
  await expect.element(header('CT')).toBeInTheDocument();
  expect(column(0)).toEqual(['2024', '2025']);
  expect(column(3)).toEqual(['4', '7']);
  expect(await violations()).toEqual([]);
  await shot('playground-sql-pivot');
  await page.getByText('Chart', { exact: true }).click();
  await expect.element(page.getByRole('heading', { name: 'Sum of studies by year' })).toBeVisible();
  await shot('playground-sql-chart');
});

test('while tables are made, the page says how far they are, and asks again by itself', async () => {
  const left = { views: 1, rows: 2 };
  const made = (what: keyof typeof left, answer: () => Response) => () => {
    if (left[what]-- <= 0) return answer();
    const refused = outcome(503, `The ${what} are being made.`);
    refused.headers.set('retry-after', '1');
    return refused;
  };
  await open(
    made('rows', () => rows({ modality: 'CT' })),
    { views: made('views', () => Response.json(VIEWS)) },
  );
  await expect.element(page.getByText('The views are being made.')).toBeVisible();
  await expect.element(page.getByText('imaging_study', { exact: true }).first()).toBeVisible();
  await button('Run').click();
  await expect.element(page.getByText('The rows are being made. The page asks again')).toBeVisible();
  await expect.element(header('modality')).toBeInTheDocument();
  await expect.element(page.getByText('The rows are being made.')).not.toBeInTheDocument();
  left.rows = Infinity;
  await button('Run').click();
  await expect.element(page.getByText('The rows are being made.')).toBeVisible();
  await button('Stop').click();
  await expect.element(page.getByText('The rows are being made.')).not.toBeInTheDocument();
  const sent = asked.length;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(asked).toHaveLength(sent);
});

test('tables have their columns, which are written into the statement', async () => {
  await open(() => rows({ a: 1 }));
  await editor().fill('SELECT ');
  await page.getByText('imaging_study', { exact: true }).click();
  await page.getByRole('button', { name: 'modality code' }).click();
  await expect.element(editor()).toHaveValue('SELECT modality');
  await editor().fill('SELECT :code, :other');
  await page.getByRole('textbox', { name: ':code' }).fill('4548-4');
  const other = page.getByRole('textbox', { name: ':other' });
  const sent = asked.length;
  await button('Run').click();
  // The answer to an empty text would be one to another question.
  await expect.element(page.getByRole('alert')).toHaveTextContent('Give a value for other.');
  await expect.element(other).toHaveFocus();
  expect(asked).toHaveLength(sent);
  expect(await violations()).toEqual([]);
  await shot('playground-sql-value');
  await other.fill('x');
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
  await button('Run').click();
  await expect.element(header('a')).toBeInTheDocument();
  expect(Object.fromEntries(asked.at(-1)!.url.searchParams)).toEqual({
    code: '4548-4',
    other: 'x',
    _format: 'ndjson',
  });
});

test('on a small laptop all examples are in view, above the tables; the one in the editor has its hint', async () => {
  await open(() => rows({ a: 1 }));
  const [tables, last] = [
    page.getByText('imaging_study', { exact: true }).first(),
    page.getByText('How many series'),
  ];
  await expect.element(tables).toBeVisible();
  const [above, below] = [last, tables].map((one) => one.element().getBoundingClientRect().bottom);
  expect(above! < below! && below! < 500).toBe(true);
  await last.click();
  await expect.element(page.getByText('The newest first.')).toBeVisible();
});

test('a statement comes back with its values', async () => {
  const first = { query: 'SELECT :a', variables: '{"a":"x"}' };
  await open(() => rows(), { first });
  await expect.element(page.getByRole('textbox', { name: ':a' })).toHaveValue('x');
  await expect.poll(() => edited).toEqual(first);
  await page.getByRole('textbox', { name: ':a' }).fill('y');
  await expect.poll(() => edited?.variables).toBe('{"a":"y"}');
});

test('without rows it keeps the columns, and offers no files', async () => {
  await open((url) =>
    url.searchParams.get('_format') === 'csv' ? new Response('id,birth_date\r\n') : rows(),
  );
  await button('Run').click();
  await expect.element(header('birth_date')).toBeVisible();
  await expect.element(page.getByText('No rows: nothing')).toBeVisible();
  expect(asked.at(-1)!.url.searchParams.get('_limit')).toBe('0');
  expect(document.body.textContent).not.toContain('Whole answer');
  expect(page.getByRole('group', { name: 'Download' }).elements()).toHaveLength(0);
  expect(await violations()).toEqual([]);
  await shot('playground-sql-no-rows');
});

test('a refusal is in the words of the server, and marks its line', async () => {
  await open(() => outcome(422, 'Line 2: there is no table "nothing" for you.'));
  await button('Run').click();
  await expect
    .element(page.getByRole('alert', { name: 'Errors' }))
    .toHaveTextContent('Line 2: there is no table');
  await expect.poll(() => marks.at(-1)).toMatchObject({ line: 2 });
  expect(document.body.textContent).not.toContain('Correct the query');
  expect(await violations()).toEqual([]);
  await shot('playground-sql-refused');
});

test('while a statement runs, the old rows are marked, and it can be stopped', async () => {
  let answer = (_response: Response): void => undefined;
  let signal: AbortSignal | undefined;
  await open((_url, request) => {
    signal = request.signal!;
    return new Promise<Response>((resolve) => (answer = resolve));
  });
  await button('Run').click();
  await expect.element(button('Stop')).toBeVisible();
  await expect.element(button('Run')).not.toBeInTheDocument();
  await expect.element(page.getByText('stopped if there is no row within 30 s')).toBeVisible();
  await expect.element(page.getByText('1 s', { exact: true })).toBeVisible();
  await shot('playground-sql-running');
  answer(rows({ a: 1 }));
  await expect.element(header('a')).toBeInTheDocument();
  await button('Run').click();
  await expect.element(page.getByText('From the previous query.')).toBeVisible();
  await button('Stop').click();
  expect(signal?.aborted).toBe(true);
  await expect.element(page.getByText(/^Stopped after \d+ s\. The results are from/)).toBeVisible();
  await expect.element(button('Run')).toHaveFocus();
  await expect.element(header('a')).toBeInTheDocument();
});

test('many rows are shown in part, and all are saved by the same statement', async () => {
  const many = Array.from({ length: 10_050 }, (_, id) => ({ id }));
  await open((url) =>
    url.searchParams.get('_format') === 'csv' ? outcome(429, 'Wait a moment.') : rows(...many),
  );
  await button('Run').click();
  await expect.element(page.getByText('The first 10,000 rows: there are more.')).toBeVisible();
  await button('Download all rows as CSV').click();
  await expect.element(page.getByRole('alert')).toHaveTextContent('Wait a moment.');
  await button('Download all rows as Parquet').click();
  await expect.poll(() => asked.at(-1)!.url.searchParams.get('_format')).toBe('parquet');
  // What came was none.
  await expect.element(page.getByRole('alert')).toHaveTextContent('Nothing was saved');
});

test('without tables it says why, as the server does', async () => {
  await open(() => rows());
  await cleanup();
  for (const [status, words] of [
    [501, 'SQL is not available here: install @duckdb/node-api.'],
    [403, 'The token does not open ViewDefinition.'],
  ] as const) {
    await cleanup();
    await render(SqlTab, {
      facts,
      access: { granted: undefined, fetch: () => Promise.resolve(outcome(status, words)) },
      load: picture,
      kept: new KeptQueries(undefined),
      first: { query: 'SELECT 1', variables: '' },
      hasToken: true,
      onneed: () => undefined,
      onedit: () => undefined,
      openEditor: field,
    });
    await expect.element(page.getByRole('alert')).toHaveTextContent(words);
  }
});

test('without a token it leads to one', async () => {
  await open(() => rows(), { hasToken: false, access: 'sign-in' });
  await button('Sign in').click();
  await button('Run').click();
  expect([needed, asked.length]).toEqual([2, 0]);
});

test('it fits a phone', async () => {
  await open(() => rows({ a: 1 }), { size: PHONE });
  await expect.element(page.getByText('imaging_study', { exact: true })).toBeVisible();
  expect(scrollsSideways()).toBe(false);
  await shot('playground-sql-phone');
});
