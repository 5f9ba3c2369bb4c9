/** Queries that a person keeps beyond the tab. */
import { beforeEach, expect, test } from 'vitest';
import { page } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import KeptList from '../../src/playground/kept/KeptList.svelte';
import { KeptQueries, type KeptQuery } from '../../src/playground/kept/kept-queries.ts';
import { memoryStorage } from '../../src/state/browser/browser-storage.ts';
import { shot, violations } from './open.ts';

const button = (name: string) => page.getByRole('button', { name, exact: true });
let opened: KeptQuery[];

async function show(storage: Storage | undefined, query = 'query Labs { x }') {
  await cleanup();
  await page.viewport(320, 400);
  opened = [];
  const { container } = await render(KeptList, {
    kept: new KeptQueries(storage),
    language: 'graphql',
    edited: { query, variables: '{"id":"a"}' },
    onopen: (kept: KeptQuery) => opened.push(kept),
  });
  container.role = 'main';
}

beforeEach(() => void (document.body.style.margin = '0'));

test('one is kept, opened in the next tab, and removed', async () => {
  const storage = memoryStorage();
  await show(storage);
  expect(page.getByRole('list').elements()).toHaveLength(0);
  await button('Keep this query').click();
  await expect.element(page.getByText('The query is kept.')).toBeVisible();
  await show(storage, 'query Other { x }');
  await button('Labs').click();
  expect(opened.map(({ query, variables }) => [query, variables])).toEqual([
    ['query Labs { x }', '{"id":"a"}'],
  ]);
  await button('Keep this query').click();
  await expect.element(button('Remove all')).toBeVisible();
  expect(await violations()).toEqual([]);
  await shot('playground-kept');
  await button('Remove Labs').click();
  await expect.poll(() => button('Labs').elements().length).toBe(0);
  await button('Remove Other').click();
  await expect.poll(() => storage.length).toBe(0);
});

test('an empty one is not kept, and a browser without storage offers nothing', async () => {
  await show(memoryStorage(), ' ');
  await expect.element(button('Keep this query')).toBeDisabled();
  await show(undefined);
  expect(page.getByRole('button').elements()).toHaveLength(0);
});
