/** The query of the playground as code, and the part below the editor. */
import { beforeEach, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import { createRawSnippet } from 'svelte';
import '../../src/ui/classes.css';
import type { Answer } from '../../src/playground/answer.ts';
import CodePanel from '../../src/playground/code/CodePanel.svelte';
import OutputPanel from '../../src/playground/OutputPanel.svelte';
import type { PageFacts } from '../../src/playground/page-facts.ts';
import { PHONE, scrollsSideways, shot, violations } from './open.ts';

const facts: PageFacts = {
  tenant: 'demo',
  base: 'http://gateway/demo',
  gateway: 'http://gateway/',
  access: 'sign-in',
  explains: false,
};
const query = 'query Q($id: ID!) {\n  Patient(id: $id) {\n    ConditionList { code { text } }\n  }\n}';
const edited = { query, variables: '{ "id": "helen" }' };
const answer = {
  asked: { query, variables: {} },
  status: 200,
  milliseconds: 1,
  bytes: 1,
  text: '',
  json: { data: { Patient: { ConditionList: [{ code: { text: 'Asthma' } }] } } },
} satisfies Answer;

beforeEach(async () => {
  await cleanup();
  await page.viewport(1400, 500);
  delete document.documentElement.dataset['theme'];
});

async function open(props: { edited: typeof edited; answer: Answer | undefined; facts: PageFacts }) {
  const { container } = await render(CodePanel, props);
  container.role = 'main';
  container.style.height = '100vh';
}
const code = () => document.querySelector('pre')?.textContent ?? '';
const choose = (name: string) => page.getByText(name, { exact: true }).click();

test('is there in each language, with the token from the environment, and copied', async () => {
  const copied: string[] = [];
  vi.spyOn(navigator.clipboard, 'writeText').mockImplementation((text) => {
    copied.push(text);
    return Promise.resolve();
  });
  await open({ edited, answer, facts });
  await expect.element(page.getByText(/put it into the environment variable ACCESS_TOKEN/)).toBeVisible();
  for (const [name, words] of [
    ['urql', "from '@urql/core'"],
    ['Apollo Client', "from '@apollo/client'"],
    ['Python', 'for field in ["Patient", "ConditionList"]'],
    ['R', 'for (field in c("Patient", "ConditionList"))'],
    ['curl', 'curl --fail'],
  ] as const) {
    await choose(name);
    await expect.poll(code).toContain(words);
    expect(code()).toContain('http://gateway/demo/graphql');
  }
  await page.getByRole('button', { name: 'Copy' }).click();
  await expect.element(page.getByText('Copied.')).toBeVisible();
  expect(copied).toEqual([code()]);
});

test('in Python it reads all pages of a connection, and in other languages it says that it reads one', async () => {
  const query = '{ ObservationConnection(_count: 20) { edges { resource { id } } } }';
  await open({ edited: { query, variables: '' }, answer: undefined, facts });
  await choose('Python');
  await expect.poll(code).toContain('"Accept": "application/x-ndjson"');
  await expect.element(page.getByText(/reads the rows of all pages/)).toBeVisible();
  await choose('curl');
  await expect.element(page.getByText(/It reads one page/)).toBeVisible();
});

test('says what is missing', async () => {
  await open({ edited: { query, variables: '{ no' }, answer: undefined, facts });
  await expect.element(page.getByRole('alert')).toHaveTextContent(/variables are no JSON object/);
  await cleanup();
  await open({ edited, answer: undefined, facts });
  await choose('Python');
  await expect.element(page.getByText(/Run the query first/)).toBeVisible();
});

test.each([
  ['wide', 1400, 500],
  ['tablet', 800, 500],
  ['phone', PHONE[0], 700],
] as const)('is read on a %s screen, in both themes', async (name, width, height) => {
  await page.viewport(width, height);
  await open({ edited, answer, facts });
  await choose('Python');
  expect(scrollsSideways()).toBe(false);
  for (const theme of ['light', 'dark']) {
    document.documentElement.dataset['theme'] = theme;
    expect(await violations()).toEqual([]);
    await shot(`playground-code-${name}-${theme}`);
  }
});

test('the part below the editor opens with the first answer, is resized with keys, and stays closed', async () => {
  const content = createRawSnippet(() => ({ render: () => '<p>rows</p>' }));
  const tabs = [
    { name: 'Results', content },
    { name: 'Code', content },
  ];
  const { container, rerender } = await render(OutputPanel, { tabs, opened: undefined });
  Object.assign(container.style, { height: '400px', display: 'flex', flexDirection: 'column' });
  container.role = 'main';
  expect(page.getByText('rows').elements()).toHaveLength(0);
  await rerender({ opened: answer });
  await expect.element(page.getByText('rows')).toBeVisible();
  const height = () => container.querySelector('section')!.getBoundingClientRect().height;
  const before = height();
  const handle = page.getByRole('separator', { name: 'Height of the results' });
  const percent = Number(handle.element().getAttribute('aria-valuenow'));
  (handle.element() as HTMLElement).focus();
  await userEvent.keyboard('{ArrowUp}{ArrowUp}');
  await expect.element(handle).toHaveAttribute('aria-valuenow', String(percent + 10));
  expect(height()).toBeGreaterThan(before);
  expect(await violations()).toEqual([]);
  await page.getByRole('button', { name: 'Close the results' }).click();
  await rerender({ opened: { ...answer } });
  await expect.element(page.getByText('rows')).not.toBeVisible();
  await page.getByRole('button', { name: 'Code' }).click();
  await expect.element(page.getByRole('button', { name: 'Code' })).toHaveAttribute('aria-expanded', 'true');
});
