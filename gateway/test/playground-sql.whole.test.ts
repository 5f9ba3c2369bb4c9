/** SQL in the playground, in a real Chromium with its real editor; the answers of `$sql-run` are given here. */
import { expect, test } from 'vitest';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { PlaygroundPage } from './playground-page.ts';

const system = new ViewerSystem({ timeout: 90_000, images: false });

const VIEWS = {
  resourceType: 'Bundle',
  entry: [
    ['imaging_study', 'id', 'patient_id', 'started', 'modality'],
    ['patient', 'id', 'gender', 'birth_date'],
  ].map(([name, ...columns]) => ({
    resource: {
      resourceType: 'ViewDefinition',
      name,
      select: [{ column: columns.map((name) => ({ name, type: 'string' })) }],
    },
  })),
};
const ROWS = ['CT', 'MR'].flatMap((modality) =>
  [2024, 2025].map((year) => ({ study_id: `2.25.${year}`, modality, year, studies: year - 2000 })),
);

/** Opens the page of a tenant that answers SQL. */
async function openWithSql(): Promise<PlaygroundPage> {
  const playground = await PlaygroundPage.open(system.browser, system.gateway.url);
  await playground.page.context().route('**/open/playground', async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace('"analysis":false', '"analysis":true');
    return route.fulfill({ response, body });
  });
  return playground;
}

test('a statement is completed, run, corrected, and its study opens; it comes back by a link', async () => {
  await using playground = await openWithSql();
  const { page } = playground;
  const asked: string[] = [];
  await page.route(/\/fhir\/ViewDefinition/, (route) => route.fulfill({ json: VIEWS }));
  await page.route(/\/fhir\/\$sql-run/, (route) => {
    const sql = route.request().postData() ?? '';
    asked.push(sql);
    if (!sql.includes('FRM'))
      return route.fulfill({ body: ROWS.map((row) => `${JSON.stringify(row)}\n`).join('') });
    const issue = [
      { severity: 'error', code: 'processing', diagnostics: 'Line 2: syntax error at or near "FRM"' },
    ];
    return route.fulfill({ status: 422, json: { resourceType: 'OperationOutcome', issue } });
  });
  await playground.goto(`${system.gateway.url}/open/playground`);
  await page.getByText('SQL', { exact: true }).click();
  const lines = page.locator('[data-ready="editor"] .view-lines[role=presentation]').last();
  await lines.getByText('imaging_study').waitFor();
  await page.locator('summary').getByText('patient', { exact: true }).click();
  await page.getByRole('button', { name: 'birth_date string' }).waitFor();

  // A mistake is marked in its line.
  await lines.click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('SELECT 1\nFRM x');
  await page.keyboard.press('Escape');
  await page.keyboard.press('ControlOrMeta+Enter');
  await page.getByRole('alert', { name: 'Errors' }).getByText('syntax error').waitFor();
  await page.locator('.squiggly-error').first().waitFor();
  await saveShot(page, 'playground-sql-marked');

  await lines.click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('SELECT p.');
  await page.locator('.suggest-widget').getByText('birth_date').waitFor({ state: 'hidden' });
  await page.keyboard.press('Escape');
  await page.keyboard.type('x FROM imag');
  await page.locator('.suggest-widget').getByText('imaging_study').waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type(' i');
  await page.keyboard.press('Escape');
  await page.keyboard.press('ControlOrMeta+Enter');
  const study = page.getByRole('link', { name: '2.25.2024' }).first();
  await study.waitFor();
  expect(asked.at(-1)).toBe('SELECT p.x FROM imaging_study i');
  expect(await page.locator('.squiggly-error').count()).toBe(0);
  expect(await study.getAttribute('href')).toBe(`${system.gateway.url}/app/?tenant=open&study=2.25.2024`);
  await page.getByText('Pivot', { exact: true }).first().click();
  await page.getByRole('columnheader', { name: 'CT', exact: true }).waitFor();
  await saveShot(page, 'playground-sql-page');
  expect(await playground.violations('page', false)).toEqual([]);

  // A reload, and the way back from another page, have the tab and its statement.
  const isSql = async () => {
    await lines.getByText('imaging_study').waitFor();
    await page.getByRole('heading', { name: 'Tables' }).waitFor();
    expect(await page.getByRole('radio', { name: 'SQL' }).isChecked()).toBe(true);
  };
  await page.reload();
  await isSql();
  await page.goto(`${system.gateway.url}/`);
  await page.goBack();
  await isSql();

  // Kept where the person says so: the next tab has it.
  await page.getByRole('button', { name: 'Keep this query' }).last().click();
  const other = await page.context().newPage();
  await other.goto(`${system.gateway.url}/open/playground#${new URLSearchParams({ sql: 'SELECT 2' })}`);
  await other.getByRole('button', { name: 'SELECT p.x FROM imaging_study i', exact: true }).waitFor();
  await other.locator('.view-lines').getByText('SELECT').last().waitFor();
  expect(asked).toHaveLength(2);
  expect(playground.elsewhere).toEqual([]);
}, 120_000);

test('without the engine the tab says so, and the keyboard leaves the editor', async () => {
  await using playground = await openWithSql();
  const { page } = playground;
  const diagnostics = 'SQL is not available here: install @duckdb/node-api.';
  await page.route(/\/fhir\/ViewDefinition/, (route) =>
    route.fulfill({ status: 501, json: { resourceType: 'OperationOutcome', issue: [{ diagnostics }] } }),
  );
  await playground.goto(`${system.gateway.url}/open/playground`);
  await page.getByText('SQL', { exact: true }).click();
  await page.getByRole('alert').getByText(diagnostics).waitFor();
  await page.locator('[data-ready="editor"] .view-lines').last().click();
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.closest(".monaco-editor") === null')).toBe(true);
  await saveShot(page, 'playground-sql-none');
}, 90_000);

test('a tenant that answers no SQL has no tab for it, and takes none from a link', async () => {
  await using playground = await PlaygroundPage.open(system.browser, system.gateway.url);
  const { page } = playground;
  await playground.goto(`${system.gateway.url}/open/playground#${new URLSearchParams({ sql: 'SELECT 2' })}`);
  expect(await page.getByText('SQL', { exact: true }).count()).toBe(0);
  expect(await playground.textOf('query-editor')).toContain('query');
}, 60_000);
