/** Lists that are cut, errors, and small screens: what a data analyst needs of the playground, in a real Chromium. */
import { readFile } from 'node:fs/promises';
import { beforeEach, expect, test } from 'vitest';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { backendToken, PHONE, PlaygroundPage } from './playground-page.ts';

const system = new ViewerSystem({ timeout: 90_000 });
const LAPTOP = { width: 1280, height: 720 };
const LABS =
  'query Labs { ObservationConnection(category: ["laboratory"], _count: 20) { edges { resource { id valueQuantity { value unit } } } } }';

let playground: PlaygroundPage;
let page: PlaygroundPage['page'];

beforeEach(async () => {
  playground = await PlaygroundPage.open(system.browser, system.gateway.url);
  ({ page } = playground);
  await page.setViewportSize(LAPTOP);
  return () => playground[Symbol.asyncDispose]();
});

/** Takes a token for all patients, and runs a query. */
async function ask(query: string): Promise<void> {
  await playground.paste(await backendToken(system.gateway));
  await page.getByText('Pasted token').waitFor();
  await playground.follow(query);
  await playground.run();
}

test('a page of a longer list says so, and all rows are downloaded', async () => {
  await ask(LABS);
  await page.getByText('20 rows, as many as were asked for: there may be more.').waitFor();
  await saveShot(page, 'playground-analyst-cut');
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download all rows as CSV' }).click(),
  ]);
  expect(file.suggestedFilename()).toBe('ObservationConnection.edges-all.csv');
  const [header, ...lines] = (await readFile(await file.path(), 'utf8')).trimEnd().split('\r\n');
  expect(header).toBe('id,valueQuantity.value,valueQuantity.unit,_next');
  // The server is asked how many there are.
  await playground.follow(LABS.replace('Labs', 'Counted').replace('edges', 'count next edges'));
  await playground.run();
  await page.getByText(`The first 20 of ${lines.length} rows.`).waitFor();
  expect(lines.length).toBeGreaterThan(100);
}, 60_000);

test('rows that do not come to their end are no file', async () => {
  await ask(LABS);
  const button = page.getByRole('button', { name: 'Download all rows as CSV' });
  await button.waitFor();
  await page.route('**/demo/graphql', (route) => route.abort());
  await button.click();
  await page.getByRole('alert').getByText('The gateway does not answer.').waitFor();
  await page.unroute('**/demo/graphql');
  await page.route('**/demo/graphql', (route) =>
    route.fulfill({
      status: 400,
      json: { errors: [{ message: 'A stream has the rows of one connection.' }] },
    }),
  );
  await button.click();
  await page.getByRole('alert').getByText('A stream has the rows of one connection.').waitFor();
}, 60_000);

test('on a small laptop an error is read in full, and the plan says that no source was asked', async () => {
  await page.getByRole('button', { name: 'Plan', exact: true }).click();
  await page.getByText('Tell plan and calls of the next query').click();
  await ask('query Wrong { PatientList(_has: ["ImagingStudy:endpoint:modality=CT"]) { id } }');
  await page.getByText('the query was refused before').waitFor();
  await page.getByRole('button', { name: 'Results', exact: true }).click();
  const errors = page.getByRole('alert', { name: 'Errors' });
  await errors.getByText('Only patients are searched by studies').waitFor();
  const { top, bottom } = await errors.evaluate((one) => one.getBoundingClientRect());
  expect(bottom - top).toBeGreaterThan(50);
  expect(bottom).toBeLessThan(LAPTOP.height);
  expect(await page.getByRole('group', { name: 'Download' }).count()).toBe(0);
  await saveShot(page, 'playground-analyst-error');
}, 60_000);

test('variables take no place of a query that has none', async () => {
  const height = async () => (await page.locator('.graphiql-query-editor').boundingBox())!.height;
  const folded = page.getByRole('button', { name: 'Show editor tools' });
  await ask(LABS);
  await folded.waitFor();
  await page.getByText('20 rows, as many').waitFor();
  // Eight lines of 20 pixels.
  expect(await height()).toBeGreaterThan(160);
  await saveShot(page, 'playground-analyst-variables');
  await playground.follow('query Needs($id: ID!) { Patient(id: $id) { id } }', { id: 'x' });
  await expect.poll(() => playground.textOf('editor-tool')).toContain('"x"');
  await page.getByRole('button', { name: 'Hide editor tools' }).waitFor();
  await playground.follow('query Again { PatientList { id } }');
  await folded.waitFor();
}, 60_000);

test('a token that is not taken is said as a fact, its reasons as possible ones, and where one comes from', async () => {
  await playground.openSignIn();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(`A registered program gets it at ${system.gateway.url}/demo/oauth/token`).waitFor();
  await dialog.getByText('prints the command').waitFor();
  await dialog.getByText('lasts five minutes').waitFor();
  await saveShot(page, 'playground-analyst-token');
  await page.keyboard.press('Escape');
  await playground.paste('no-such-token');
  await page.getByRole('alert').getByText('The server does not take this token. It may have ended').waitFor();
  await playground.run();
  const errors = page.getByRole('alert', { name: 'Errors' });
  await errors.waitFor();
  expect(await errors.innerText()).not.toContain('Correct the query');
  await saveShot(page, 'playground-analyst-refused');
}, 60_000);

test('a token fills in a patient, and that is said', async () => {
  await playground.paste(await backendToken(system.gateway));
  await page.getByRole('status').getByText('Its variables have a patient that the token opens').waitFor();
  await saveShot(page, 'playground-analyst-patient');
}, 60_000);

test('on a phone a run leads to its result', async () => {
  await page.setViewportSize(PHONE);
  await ask(LABS);
  await page.getByText('20 rows, as many').waitFor();
  const place = page.getByRole('region', { name: 'Results', exact: true });
  await expect.poll(async () => (await place.boundingBox())!.y).toBeLessThan(PHONE.height / 4);
  await saveShot(page, 'playground-analyst-phone');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width);
}, 60_000);
