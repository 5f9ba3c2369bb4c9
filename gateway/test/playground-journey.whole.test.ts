/**
 * A new user of the playground, from the first look to the sign-out, in a real Chromium without the internet: every example
 * gives the rows of the demonstration.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXAMPLES } from '../../viewer/src/playground/examples/examples.ts';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { testEach } from './setup/usual-run.ts';
import { DESKTOP, HELEN, PHONE, PlaygroundPage } from './playground-page.ts';

const system = new ViewerSystem({ timeout: 90_000 });
/** The first query of a patient joins record and images anew, on a busy machine. */
const SLOW = { timeout: 20_000 };

let playground: PlaygroundPage;
let page: PlaygroundPage['page'];
/** The last one that the page sent. */
let token = '';

/** All tests are steps of one user in one page. */
beforeAll(async () => {
  playground = await PlaygroundPage.open(system.browser, system.gateway.url);
  ({ page } = playground);
  page.on('request', (request) => {
    token = /^Bearer (.+)/.exec(request.headers()['authorization'] ?? '')?.[1] ?? token;
  });
  await playground.signIn(HELEN);
  await page.getByRole('banner').getByText(DEMO_PATIENT).waitFor();
}, 90_000);
afterAll(() => playground?.[Symbol.asyncDispose]());

/** What axe finds in GraphiQL's own parts, in every state of the page; docs/graphql.md names it. */
const OF_GRAPHIQL = ['color-contrast: .graphiql-logo-link', 'nested-interactive: .graphiql-tab'];

/** Expects that axe finds nothing but that. All tabs are one place. */
async function expectNoViolations(): Promise<void> {
  expect(await playground.violations('page')).toEqual([]);
  const places = (await playground.violations('graphiql')).map((place) =>
    place.replace(/\.graphiql-tab\b.*/, '.graphiql-tab'),
  );
  expect([...new Set(places)]).toEqual(OF_GRAPHIQL);
}

/** Chooses a list of the answer, when it is there. */
async function chooseList(name: string): Promise<void> {
  const lists = page.getByRole('combobox', { name: 'List' });
  const option = lists.getByRole('option', { name: `${name} (` });
  await expect.poll(() => option.count(), SLOW).toBe(1);
  await lists.selectOption(name);
}

const sortBy = (name: string) => page.getByRole('button', { name, exact: true }).click();

/** Chooses an example and runs it. */
async function runExample(id: string): Promise<void> {
  const { question, query } = EXAMPLES.find((one) => one.id === id)!;
  await playground.chooseExample(question);
  await expect.poll(() => playground.textOf('query-editor')).toContain(/query \w+/.exec(query)![0]);
  await playground.run();
}

const [CT_2025, CT_2026] = [
  'CT chest without contrast, low dose',
  'CT chest without contrast, follow-up of nodule',
];
/** Some rows of a list of each example. Columns that are not named may have any text. */
const ROWS: Readonly<Record<string, { list: string; count: number; rows: Record<string, string>[] }>> = {
  'record-and-images': {
    list: 'Patient.ConditionList',
    count: 5,
    rows: [
      { 'code.text': 'Type 2 diabetes mellitus', onsetDateTime: '2014-03-11' },
      { 'code.text': 'Essential hypertension', onsetDateTime: '2011-06-02' },
      { 'code.text': 'Solitary pulmonary nodule, right upper lobe', onsetDateTime: '2025-11-06' },
    ],
  },
  timeline: {
    list: 'Patient.timeline.entries',
    count: 30,
    rows: [
      { kind: 'report', title: CT_2026, 'studies.description': CT_2026 },
      { kind: 'laboratory', date: '2026-10-06T08:10:00-04:00', title: 'Laboratory: 2 results' },
    ],
  },
  'reports-with-images': {
    list: 'Patient.DiagnosticReportList',
    count: 3,
    rows: [
      { conclusion: 'Kidney function stable compared with April 2026.', 'ImagingStudyList.id': '' },
      {
        'code.text': CT_2025,
        'ImagingStudyList.started': '2025-11-06',
        'ImagingStudyList.numberOfInstances': '65',
      },
      {
        'code.text': CT_2026,
        'ImagingStudyList.started': '2026-10-14',
        'ImagingStudyList.numberOfInstances': '266',
      },
    ],
  },
  'results-around-a-study': {
    list: 'Patient.ObservationList',
    count: 4,
    rows: [
      {
        'code.coding.display': 'Creatinine [Mass/volume] in Serum or Plasma',
        'valueQuantity.value': '1.41',
        'valueQuantity.unit': 'mg/dL',
        'interpretation.coding.code': 'H',
        'referenceRange.high.value': '1.1',
      },
      { 'valueQuantity.value': '42', 'interpretation.coding.code': 'L', 'referenceRange.low.value': '60' },
    ],
  },
  trend: {
    list: 'Patient.trend.series.points',
    count: 7,
    rows: [
      { date: '2023-09-05T08:10:00-04:00', value: '1.2', low: '0.5', high: '1.1', flag: 'H' },
      { date: '2026-10-06T08:10:00-04:00', value: '1.41', flag: 'H' },
    ],
  },
  'tumour-over-time': {
    list: 'Patient.ImagingStudyList.measurements',
    count: 4,
    rows: [
      { 'code.text': 'Long Axis', 'valueQuantity.value': '6', effectiveDateTime: '2025-11-06' },
      { 'code.text': 'Long Axis', 'valueQuantity.value': '9', effectiveDateTime: '2026-10-14' },
      { 'code.text': 'Short Axis', 'valueQuantity.value': '7.8', effectiveDateTime: '2026-10-14' },
    ],
  },
  'ct-since': {
    list: 'ImagingStudyConnection.edges',
    count: 2,
    rows: [
      {
        'resource.description': CT_2026,
        'resource.numberOfInstances': '266',
        'resource.subject.reference': `Patient/${DEMO_PATIENT}`,
      },
      { 'resource.description': CT_2025, 'resource.started': '2025-11-06' },
    ],
  },
  'condition-without-images': {
    list: 'PatientList',
    count: 1,
    rows: [{ id: DEMO_PATIENT, 'name.family': 'Castellanos', birthDate: '1963-05-17' }],
  },
  'modality-by-year': {
    list: 'CT.years',
    count: 2,
    rows: [
      { value: '2026', count: '1' },
      { value: '2025', count: '1' },
    ],
  },
  'diagnosis-and-ct': {
    list: 'PatientList',
    count: 1,
    rows: [{ id: DEMO_PATIENT, 'name.family': 'Castellanos', 'ct.count': '2' }],
  },
};

test.each(EXAMPLES)(
  '$question',
  async ({ id }) => {
    const { list, count, rows } = ROWS[id]!;
    await runExample(id);
    await chooseList(list);
    await expect
      .poll(() => playground.rows(), SLOW)
      .toEqual(expect.arrayContaining(rows.map((row) => expect.objectContaining(row) as object)));
    // Only rows in view are in the page; the header is a row.
    expect(await page.locator('.results table').getAttribute('aria-rowcount')).toBe(String(count + 1));
  },
  60_000,
);

test('the same reports come by REST', async () => {
  await playground.chooseExample(/Which report belongs to which study/);
  await page.getByRole('button', { name: 'Run it' }).click();
  await chooseList('Bundle.entry');
  const conclusions = async () =>
    (await playground.rows()).map((row) => [row['resource.code.text'], row['resource.conclusion']]);
  await expect.poll(conclusions, SLOW).toEqual([
    [CT_2026, expect.stringContaining('nodule grown from 6 to 9 mm')],
    ['Basic metabolic panel - Blood', 'Kidney function stable compared with April 2026.'],
    [CT_2025, expect.stringContaining('Solid 6 mm nodule')],
  ]);
}, 60_000);

/** Presses a download. @returns its name and text */
async function download(format: string): Promise<{ name: string; text: string }> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: `Download ${format}` }).click(),
  ]);
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), 'utf8') };
}

/** The cells of a line of CSV. The first one is not empty. */
const cellsOf = (line: string) =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!,
  );

interface Result {
  effectiveDateTime: string;
  code: { text: string; coding: [{ display: string }] };
  valueQuantity: { value: number; unit: string };
  interpretation: [{ coding: [{ code: string }] }];
  referenceRange: [{ low: { value: number } | null; high: { value: number } | null }];
}

test('a table is sorted, searched and downloaded', async () => {
  await runExample('results-around-a-study');
  const shown = async (column: string) => (await playground.rows()).map((row) => row[column]);
  await expect.poll(() => shown('valueQuantity.value'), SLOW).toEqual(['1.41', '42', '6.9', '38']);
  await sortBy('valueQuantity.value');
  await expect.poll(() => shown('valueQuantity.value')).toEqual(['1.41', '6.9', '38', '42']);
  await sortBy('valueQuantity.value');
  await expect.poll(() => shown('valueQuantity.value')).toEqual(['42', '38', '6.9', '1.41']);
  await page.getByRole('searchbox', { name: 'Find in all columns' }).fill('hemoglobin');
  await expect.poll(() => shown('valueQuantity.value')).toEqual(['6.9']);
  await page.getByText('1 of 4 rows').waitFor();

  // Files have all rows, as they came.
  const json = await download('JSON');
  const { data } = JSON.parse(json.text) as { data: { Patient: { ObservationList: Result[] } } };
  const csv = await download('CSV');
  expect([json.name, csv.name]).toEqual(['answer.json', 'Patient.ObservationList.csv']);
  const [header, ...lines] = csv.text.trimEnd().split('\r\n').map(cellsOf);
  expect(header).toEqual([
    'effectiveDateTime',
    'code.text',
    'code.coding.display',
    'valueQuantity.value',
    'valueQuantity.unit',
    'interpretation.coding.code',
    'referenceRange.low.value',
    'referenceRange.high.value',
  ]);
  expect(lines).toEqual(
    data.Patient.ObservationList.map((result) =>
      [
        result.effectiveDateTime,
        result.code.text,
        result.code.coding[0].display,
        result.valueQuantity.value,
        result.valueQuantity.unit,
        result.interpretation[0].coding[0].code,
        result.referenceRange[0].low?.value ?? '',
        result.referenceRange[0].high?.value ?? '',
      ].map(String),
    ),
  );
  expect(lines).toHaveLength(4);
  await expectNoViolations();
}, 60_000);

/** Counts the pixels of the chart in the colour of its marks. */
const MARK_PIXELS = `(() => {
  const canvas = document.querySelector('.results canvas');
  const { color } = getComputedStyle(document.querySelector('.results [data-colour=accent]'));
  const accent = color.match(/\\d+/g).map(Number);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4)
    if (accent.every((value, channel) => data[at + channel] === value)) count++;
  return count;
})()`;

test('a chart draws the values of a result over time', async () => {
  await runExample('trend');
  await chooseList('Patient.trend.series.points');
  await page.getByText('Chart', { exact: true }).click();
  await page.getByRole('img', { name: 'value over date. The table has its values.' }).waitFor();
  const rows = page.locator('.results tbody tr');
  expect(await rows.count()).toBe(7);
  expect(await rows.last().innerText()).toMatch(/^2026-10-06.*\s1\.41$/);
  // A line of some hundred pixels, and seven points.
  await expect.poll(() => page.evaluate(MARK_PIXELS), SLOW).toBeGreaterThan(300);
  await expectNoViolations();
}, 60_000);

testEach(
  [
    ['desktop', 'light', DESKTOP],
    ['desktop', 'dark', DESKTOP],
    ['phone', 'light', PHONE],
    ['phone', 'dark', PHONE],
  ] as const,
  (_, row) => row === 0 || row === 3,
)('a chart is seen on a %s, %s, and nothing scrolls to the side', async (name, colorScheme, size) => {
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize(size);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(size.width);
  // The canvas is drawn anew with the colours of the screen.
  await expect.poll(() => page.evaluate(MARK_PIXELS), SLOW).toBeGreaterThan(100);
  expect(await playground.violations('page')).toEqual([]);
  await page.getByRole('region', { name: 'Results', exact: true }).scrollIntoViewIfNeeded();
  await saveShot(page, `playground-journey-${name}-${colorScheme}`);
});

test('on a phone the answer is below the query', async () => {
  await page.setViewportSize(PHONE);
  const [query, answer] = await Promise.all(
    ['.graphiql-editors', '.graphiql-response'].map((part) => page.locator(part).boundingBox()),
  );
  expect(answer!.y).toBeGreaterThanOrEqual(query!.y + query!.height);
  expect(Math.min(query!.width, answer!.width)).toBeGreaterThan(0.7 * PHONE.width);
  // An example is below the list of all: it comes into view.
  await playground.chooseExample(/What happened to the patient/);
  await expect.poll(async () => (await page.locator('.note').boundingBox())!.y).toBeLessThan(100);
  await saveShot(page, 'playground-journey-phone-example');
});

test('the editor takes the colours of the system when they change', async () => {
  const keyword = `document.querySelector('.graphiql-query-editor .view-line span span')`;
  const colour = () => page.evaluate<string>(`getComputedStyle(${keyword}).color`);
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await colour();
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(colour).not.toBe(dark);
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(colour).toBe(dark);
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(colour).not.toBe(dark);
});

test('a sign-out ends the token, and leaves nothing of the patient', async () => {
  const statusOfToken = async () => {
    const answer = await fetch(`${system.gateway.url}/demo/fhir/Patient/${DEMO_PATIENT}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return answer.status;
  };
  expect(await statusOfToken()).toBe(200);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  await expect.poll(statusOfToken).toBe(401);
  await page.getByText('gone from this tab. Kept queries stay.').waitFor();
  await playground.editorIsThere();
  await page.getByText('Run a query: what it finds is here').waitFor();
  expect(await page.locator('.results').count()).toBe(0);
  await expect.poll(() => playground.textOf('query-editor')).toContain('RecordAndImages');
  // The editor keeps what is typed some moments later.
  await page.waitForTimeout(1000);
  const kept = (await page.evaluate('JSON.stringify({ ...sessionStorage })')) as string;
  for (const trace of [DEMO_PATIENT, 'Trend', '1.41']) {
    expect(kept).not.toContain(trace);
    expect(await page.locator('body').innerText()).not.toContain(trace);
  }
  await saveShot(page, 'playground-journey-end');
  await expectNoViolations();
  expect(playground.elsewhere).toEqual([]);
  expect(playground.complaints).toEqual([]);
}, 60_000);
