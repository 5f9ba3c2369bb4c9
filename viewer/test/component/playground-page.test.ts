/** The header of the playground, and what is in view on a small laptop. */
import { beforeEach, expect, test } from 'vitest';
import { page } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import PageHeader from '../../src/playground/PageHeader.svelte';
import type { PageFacts } from '../../src/playground/page-facts.ts';
import { Access } from '../../src/playground/sign-in/access.svelte.ts';
import { PHONE, scrollsSideways, shot, violations } from './open.ts';

const facts: PageFacts = {
  tenant: 'population',
  base: 'http://gateway/population',
  gateway: 'http://gateway/',
  access: 'sign-in',
  explains: false,
  analysis: true,
};

beforeEach(() => void (document.body.style.margin = '0'));

/** Opens the header for a token. @returns its height */
async function open(scope: string, size: readonly [number, number]): Promise<number> {
  await cleanup();
  await page.viewport(...size);
  const access = new Access(facts, 'http://gateway/population/playground');
  access.granted = { scope, isPasted: false, isRenewed: true };
  const { container } = await render(PageHeader, {
    facts,
    access,
    language: 'sql',
    choosing: false,
    linkOf: () => undefined,
    onchoose: () => undefined,
    onleave: () => undefined,
  });
  await expect.element(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
  return container.querySelector('header')!.getBoundingClientRect().height;
}

test.each([
  ['all patients', 'user/*.rs'],
  ['some types', 'patient/Patient.rs patient/Observation.rs patient/ImagingStudy.rs patient/Endpoint.rs'],
])('the header is one row on a small laptop: %s', async (name, scope) => {
  expect(await open(scope, [1280, 800])).toBeLessThan(60);
  expect(scrollsSideways()).toBe(false);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect.element(page.getByText('The query is too long for a link')).toBeVisible();
  expect(await violations()).toEqual([]);
  await shot(`playground-header-${name.replace(' ', '-')}`);
});

test('the header fits a phone', async () => {
  await open('user/*.rs', PHONE);
  expect(scrollsSideways()).toBe(false);
});
