import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import { RECORD } from './fixtures.ts';
import { choose, open, PHONE, shot, type Opening } from './open.ts';

const heading = () => page.getByRole('heading', { level: 1 });
const timeline = () => page.getByRole('navigation', { name: 'Timeline' });

test('a patient opens with banner, timeline, series, image and report', async () => {
  const { records } = await open();
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  await expect.element(timeline()).toBeVisible();
  await expect.element(page.getByRole('option').first()).toBeVisible();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await expect.element(page.getByRole('region', { name: 'Report' })).toHaveTextContent('white matter lesion');
  expect(records.asked).toEqual(['helen']);
  expect(document.title).toBe('SMART Imaging');
});

test('the banner’s problems, medications and allergies open as lists; Esc closes them and nothing else', async () => {
  await open('?tenant=demo&patient=helen&study=1.2.10');
  await expect
    .element(page.getByRole('button', { name: /^Allergies/ }))
    .toHaveTextContent('Allergies: Penicillin (high), Latex');
  await page.getByRole('button', { name: /^Problems/ }).click();
  const list = page.getByRole('dialog', { name: 'Problems' });
  await expect.element(list.getByRole('listitem').first()).toHaveTextContent('Migraine since 30 Nov 2024');
  expect(list.getByRole('listitem').all()).toHaveLength(2);
  await userEvent.keyboard('{Escape}');
  await expect.element(list).not.toBeInTheDocument();
  await expect.element(heading()).toHaveTextContent('Helen');
});

test.each([
  ['server', 500, 'The record could not be read. Nothing was lost.', 'Try again'],
  ['not-found', 404, 'There is no such patient here.', 'Try again'],
  ['offline', undefined, 'There is no network connection.', 'Try again'],
  ['signed-out', 401, 'Your session has ended. Nothing was lost.', 'Sign in'],
] as const)(
  'a record in trouble (%s): says what happened, and one thing to do',
  async (kind, status, said, todo) => {
    const { records } = await open(undefined, {
      prepare: (fakes) => (fakes.records.trouble = new Trouble(kind, 'detail', status ? { status } : {})),
    });
    await expect.element(page.getByRole('alert')).toHaveTextContent(said);
    await expect.element(page.getByRole('alert')).not.toHaveTextContent('detail');
    const button = page.getByRole('alert').getByRole('button', { name: todo });
    await expect.element(button).toBeVisible();
    if (todo !== 'Try again') return;
    records.trouble = undefined;
    // The network that is back is enough.
    if (kind === 'offline') window.dispatchEvent(new Event('online'));
    else await button.click();
    await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  },
);

test('a sign-in that names the patient keeps the study and the image of an address that names none', async () => {
  await open('?tenant=demo&study=1.2.10&image=5', { prepare: ({ account }) => (account.patient = 'helen') });
  await expect.element(page.getByText(/^image 5\//).first()).toBeVisible();
  await expect
    .poll(() => new URL(location.href).search)
    .toMatch(/^\?(?!.*helen)(?=.*\bstudy=1\.2\.10\b)(?=.*\bimage=5\b)/);
});

test('a patient in the address is read once and taken out of it; a reload still has the patient', async () => {
  await open('?tenant=demo&patient=helen&study=1.2.10&image=5');
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  expect(location.search).toMatch(/^\?tenant=demo&study=1\.2\.10/);
  expect(location.search).not.toContain('helen');
  expect(JSON.stringify(history.state)).not.toContain('helen');
  const { records } = await open(undefined, { at: 'here' });
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  expect(records.asked).toEqual(['helen']);
});

test('a link with a study and no patient: it is looked up whose it is', async () => {
  const { records } = await open('?tenant=demo&study=1.2.10&series=1.2.10.3&image=5');
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  await expect.element(page.getByText(/^image 5\//).first()).toBeVisible();
  expect(records.asked).toEqual(['1.2.10', 'helen']);
});

test('a link with a study that is not here: says so, and patients can be chosen', async () => {
  await open('?tenant=demo&study=9.9');
  await expect.element(page.getByRole('alert')).toHaveTextContent('There is no such study here');
  await page.getByRole('button', { name: /Helen/ }).click();
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  expect(location.search).not.toContain('study=9.9');
});

test('whose a study is cannot be looked up now: it can be tried again', async () => {
  const { records } = await open('?tenant=demo&study=1.2.10', {
    prepare: (fakes) => (fakes.records.trouble = new Trouble('server', 'detail', { status: 500 })),
  });
  const again = page.getByRole('button', { name: 'Try again' }).first();
  await expect.element(again).toBeVisible();
  records.trouble = undefined;
  await again.click();
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
});

test('a part that did not arrive is said; what is there is shown', async () => {
  // The list of studies and the timeline ask for images, and both say that they have none.
  const missing = (['images', 'images', 'record', 'record'] as const).map((part) => ({
    part,
    message: '503',
  }));
  await open(undefined, { prepare: ({ records }) => (records.answer = { ...RECORD, studies: [], missing }) });
  await expect
    .element(page.getByText('The image archive did not answer. Clinical data are complete.'))
    .toBeVisible();
  await expect.element(timeline().getByText('Office visit')).toBeVisible();
  await expect.element(page.getByText('whether there are any is not known')).toBeVisible();
});

test('patients are searched; name and gender are words of their own; Back returns to the list', async () => {
  const { records } = await open('?tenant=demo');
  await expect.element(page.getByText('Whose images?')).toBeVisible();
  const row = page.getByRole('button', { name: /Álvarez/ });
  await expect.element(row).toHaveTextContent(/María Álvarez \d+ y · female/);
  await shot('patients');
  await page.getByRole('searchbox').fill('helen');
  await expect.element(row).not.toBeInTheDocument();
  expect(records.asked).toEqual(['', 'helen']);
  await page.getByRole('button', { name: /Helen/ }).click();
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  expect(location.search).toMatch(/^\?tenant=demo(&series=[\d.]+&image=\d+)?$/);
  history.back();
  await expect.element(page.getByText('Whose images?')).toBeVisible();
  history.forward();
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
});

test('nobody is found, or there is nobody: the list says so', async () => {
  await open('?tenant=demo', { prepare: ({ records }) => (records.people = []) });
  await expect.element(page.getByText('No patients here.')).toBeVisible();
  await page.getByRole('searchbox').fill('x');
  await expect.element(page.getByText('Nobody is found for “x”.')).toBeVisible();
});

test('sign-in: begins, says that one has signed out, or why it did not work', async () => {
  const { account } = await open('?tenant=demo', {
    prepare: (fakes) => Object.assign(fakes.account, { phase: 'signed-out', left: true }),
  });
  await expect.element(page.getByText('You have signed out.')).toBeVisible();
  await shot('signed-out');
  await page.getByRole('button', { name: 'Sign in' }).click();
  expect(account.called).toEqual(['signIn']);
  const problem = { kind: 'denied' };
  const other = await open('?tenant=demo', {
    prepare: (fakes) => Object.assign(fakes.account, { phase: 'signed-out', problem, signInPossible: false }),
  });
  await expect
    .element(page.getByRole('alert'))
    .toHaveTextContent('Access was not allowed, and so nothing can be shown.');
  await page.getByRole('button', { name: 'Try again' }).click();
  expect(other.account.called).toEqual(['open']);
});

test('a clinician begins with clinical words; a choice wins, and stays', async () => {
  const clinician: Opening['prepare'] = ({ account }) => (account.isClinician = true);
  const first = page.getByRole('option').first();
  await open(undefined, { prepare: clinician });
  await expect.element(first).toHaveTextContent('Localizer MR ·');
  // A choice of something else is none of words.
  await choose('Account', 'Settings');
  await page.getByRole('dialog').getByText('Dark').click();
  await open(undefined, { at: 'here' });
  await expect.element(first).toHaveTextContent('Localizer MRI ·');
  await open(undefined, { at: 'here', prepare: clinician });
  await expect.element(first).toHaveTextContent('Localizer MR ·');
  await choose('Words: Clinical', 'Plain language');
  await expect.element(first).toHaveTextContent('Localizer MRI ·');
  await open(undefined, { at: 'here', prepare: clinician });
  await expect.element(first).toHaveTextContent('Localizer MRI ·');
});

test.each([
  ['a wide page', undefined],
  ['a phone', PHONE],
])('a clinician chooses another patient on %s: nothing of the first one stays', async (_, size) => {
  const { account } = await open('?tenant=demo&study=1.2.10&image=5', {
    ...(size && { size }),
    prepare: (fakes) =>
      Object.assign(fakes.account, { patient: 'helen', choosesPatient: false, isClinician: true }),
  });
  await expect.element(page.getByText(/^image 5\//).first()).toBeVisible();
  await shot(`other-patient-${size ? 'phone' : 'wide'}`);
  await choose('Account', 'Other patient');
  expect(account.called).toEqual(['chooseAnother']);
  await expect.element(page.getByText('Helen Marie Castellanos')).not.toBeInTheDocument();
  await expect.element(page.getByText(/^image 5\//)).not.toBeInTheDocument();
  expect(document.title).toBe('SMART Imaging');
  expect(location.search).toBe('?tenant=demo');
});

test('a patient has no other patients', async () => {
  await open(undefined, {
    prepare: ({ account }) => Object.assign(account, { patient: 'helen', choosesPatient: false }),
  });
  await expect.element(heading()).toHaveTextContent('Helen');
  await page.getByRole('button', { name: 'Account' }).click();
  await expect.element(page.getByRole('menuitem', { name: 'Settings' })).toBeVisible();
  await expect.element(page.getByRole('menuitem', { name: 'Other patient' })).not.toBeInTheDocument();
});

test('the patient of a token is opened, and does not stand in the address', async () => {
  await open('?tenant=demo', {
    prepare: ({ account }) => Object.assign(account, { patient: 'helen', choosesPatient: false }),
  });
  await expect.element(heading()).toHaveTextContent('Helen Marie Castellanos');
  expect(location.href).not.toContain('helen');
  await expect.element(page.getByRole('button', { name: 'All patients' })).not.toBeInTheDocument();
});

test('the timeline is searched and filtered; a study opens; a panel of results opens in its place', async () => {
  await open();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await userEvent.keyboard('/');
  await expect.element(page.getByPlaceholder('Search the record')).toHaveFocus();
  await userEvent.keyboard('chest ?');
  await expect.element(page.getByText('Nothing is found.')).toBeVisible();
  await userEvent.keyboard('{Backspace}{Backspace}');
  await expect.element(timeline().getByText('2 entries of 11')).toBeVisible();
  await timeline()
    .getByRole('button', { name: /ago.*CT scan of the chest/ })
    .click();
  await expect.element(page.getByText('image 101/200')).toBeVisible();
  expect(location.search).toContain('study=1.2.20');
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByPlaceholder('Search the record')).toHaveValue('');
  await timeline().getByRole('button', { name: 'Show: All' }).click();
  await page.getByRole('menuitemradio', { name: 'Results' }).click();
  await timeline()
    .getByRole('button', { name: /Metabolic panel/ })
    .click();
  await expect.element(timeline().getByText('usual: 0.6–1.1')).toBeVisible();
  await expect.element(timeline().getByText('high', { exact: true })).toBeVisible();
});

test('the language is switched without a reload; lang and dates follow', async () => {
  await open();
  await expect.element(timeline().getByText('12 Mar 2026').first()).toBeVisible();
  await choose('Account', 'Settings');
  await page.getByRole('dialog').getByText('Español').click();
  await expect.element(page.getByRole('dialog', { name: 'Ajustes' })).toBeVisible();
  await shot('settings');
  expect(document.documentElement.lang).toBe('es');
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByRole('navigation', { name: 'Cronología' })).toBeVisible();
  await expect
    .element(page.getByRole('navigation', { name: 'Cronología' }).getByText('12 mar 2026').first())
    .toBeVisible();
  expect(JSON.parse(localStorage.getItem('viewer.preferences')!)).toMatchObject({ language: 'es' });
  expect(JSON.stringify(localStorage)).not.toContain('helen');
});

test('plain and clinical words are switched', async () => {
  await open();
  const first = page.getByRole('option').first();
  await expect.element(first).toHaveTextContent('Localizer MRI ·');
  await choose('Words: Plain language', 'Clinical');
  await expect.element(first).toHaveTextContent('Localizer MR ·');
});

test('`?` opens the sheet of keys, made of the commands; Esc closes it', async () => {
  await open();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await userEvent.keyboard('?');
  const sheet = page.getByRole('dialog', { name: 'Keys and gestures' });
  await expect.element(sheet.getByText('Next image')).toBeVisible();
  await expect.element(sheet.getByText('Shift+↑')).toBeVisible();
  await shot('help');
  await userEvent.keyboard('{Escape}');
  await expect.element(sheet).not.toBeInTheDocument();
});

test('a button says its name and key under a resting pointer and on the focus of keys; Esc and a press take them away', async () => {
  await open('?tenant=demo');
  const button = page.getByRole('button', { name: 'Settings' });
  const tip = page.getByRole('tooltip');
  await button.hover();
  await expect.element(tip).toHaveTextContent('Settings ,');
  const [at, around] = [tip.element(), button.element()].map((one) => one.getBoundingClientRect());
  expect(at!.top).toBeGreaterThanOrEqual(around!.bottom);
  expect(at!.right).toBeLessThanOrEqual(window.innerWidth);
  await userEvent.keyboard('{Escape}');
  await expect.element(tip).not.toBeInTheDocument();
  await userEvent.unhover(button);
  await userEvent.tab();
  await expect.element(button).toHaveFocus();
  await expect.element(tip).toBeVisible();
  // The pointer that has left takes nothing away from the keyboard.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await expect.element(tip).toBeVisible();
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
  await expect.element(tip).not.toBeInTheDocument();
  await userEvent.keyboard('{Escape}');
  await expect.element(button).toHaveFocus();
});
