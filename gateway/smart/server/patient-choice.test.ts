/** The choice of a patient: the one of the study that the app will show, or one who is found by name. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SmartApp } from './test/smart-app.ts';
import { Browser, PEOPLE, startServer, type Page, type Started } from './test/started.ts';
import type { Person } from './sign-in/identify.ts';
import type { StudyHint } from './sign-in/study-hint.ts';

const SCOPE = 'openid fhirUser launch/patient patient/*.rs';
const OWNERS: Record<string, string[]> = {
  '1.1': ['p2'],
  '1.2': ['p1', 'p2'],
  '1.3': ['of-somebody-who-may-not-be-chosen'],
};

let few: Started;
let many: Started;
let asked: StudyHint[];
beforeAll(async () => {
  const patientsOfStudy = async (_tenant: object, hint: StudyHint) => {
    asked.push(hint);
    return OWNERS[hint.study] ?? [];
  };
  few = await startServer({}, { patientsOfStudy });
  const others = Array.from({ length: 100 }, (_, index): Person => ({
    id: `m${index}`,
    reference: `Patient/m${index}`,
    name: index === 90 ? 'María Álvarez' : `Many ${index}`,
  }));
  many = await startServer({}, { people: [...others, ...PEOPLE] });
});
beforeEach(() => void (asked = []));
afterAll(async () => {
  expect([...few.errors, ...many.errors]).toEqual([]);
  await Promise.all([few.close(), many.close()]);
});

/** Returns the page of the sign-in, and a function that goes on as a person. */
async function begun(started: Started, parameters: Record<string, string> = {}) {
  const app = new SmartApp(started);
  const browser = new Browser(started.issuer);
  const page = await browser.open(await app.url(SCOPE, parameters));
  const as = (account: string) => browser.submit(page, [['account', account]]);
  return { app, browser, page, as };
}

const isConsent = ({ html }: Page) => html.includes('Allow access?');
const offered = ({ html }: Page) =>
  [...html.matchAll(/<button name="(?:patient|account)" value="([^"]+)"/g)].map(([, value]) => value);

test('the patient of the study that the app names is offered alone, and the person agrees', async () => {
  const { app, browser, as } = await begun(few, { study_hint: '1.1' });
  expect(asked).toEqual([]);
  const page = await as('Practitioner/d1');
  expect(isConsent(page)).toBe(true);
  expect(page.html).toContain('Bob Two');
  const fhirUser = `${few.base}/fhir/Practitioner/d1`;
  const token = { client_id: 'public-app', sub: 'Practitioner/d1', scope: SCOPE, fhirUser };
  expect(asked).toEqual([{ study: '1.1', token }]);
  const done = await browser.submit(page, [
    ['scope', 'fhirUser'],
    ['scope', 'patient/*.rs'],
    ['step', 'allow'],
  ]);
  expect(await app.exchange(new URL(done.url))).toMatchObject({ patient: 'p2' });
});

test.each<[string, Record<string, string>, string[]]>([
  ['no study', {}, ['p1', 'p2']],
  ['a study that is not found', { study_hint: '9.9' }, ['p1', 'p2']],
  ['a study of a patient whom the person may not choose', { study_hint: '1.3' }, ['p1', 'p2']],
  ['a study that two may have', { study_hint: '1.2' }, ['p1', 'p2']],
])('%s: the person chooses', async (_what, parameters, patients) => {
  const page = await (await begun(few, parameters)).as('Practitioner/d1');
  expect(isConsent(page)).toBe(false);
  expect(offered(page)).toEqual(patients);
  expect(page.html).not.toContain('type="search"');
});

test('a patient opens the own record, whatever study is named, and no other is looked for', async () => {
  const page = await (await begun(few, { study_hint: '1.1' })).as('Patient/p1');
  expect(page.html).toContain('Ann &#60;b&#62;One');
  expect(page.html).not.toContain('Bob Two');
  expect(asked).toEqual([]);
});

test('many patients are found by name, at the sign-in and at the choice; the name is in no address', async () => {
  const { browser, page, as } = await begun(many);
  expect(offered(page)).toHaveLength(24 + 1);
  expect(page.html).toContain('Patients shown: 24 of 102.');
  const find = (from: Page, name: string) =>
    browser.submit(from, [
      ['name', name],
      ['step', 'find'],
    ]);
  const found = await find(page, ' alvarez  MARIA ');
  expect(offered(found)).toEqual(['Patient/m90', 'Practitioner/d1']);
  expect(found.url).toBe(page.url);
  const choice = await as('Practitioner/d1');
  expect(offered(await find(choice, 'Many 9'))).toEqual(
    ['m9', ...Array.from({ length: 10 }, (_, index) => `m9${index}`)].filter((id) => id !== 'm90'),
  );
  const nobody = await find(choice, '"><script>');
  expect(offered(nobody)).toEqual([]);
  expect(nobody.html).toContain('No patient has this name.');
  expect(nobody.html).not.toContain('<script>');
  const chosen = await browser.submit(await find(choice, 'Álvarez'), [['patient', 'm90']]);
  expect(isConsent(chosen)).toBe(true);
});
