import { expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trace } from '../../src/data/trace.ts';
import { protocol } from '../../src/features/protocol/protocol.ts';
import { choose, open, PHONE, scrollsSideways, shot, violations, type Opening } from './open.ts';

const BASE = 'https://gateway.example/demo';
const JSON_HEADERS = { accept: 'application/json', 'content-type': 'application/json' };

/** A page that has asked for a record, an image, and something that did not come. */
async function opened(options: Opening = {}) {
  const trace = new Trace();
  const body = JSON.stringify({
    query: 'query PatientRecord($id: ID!) {\n  Patient(id: $id) { id }\n}',
    variables: { id: 'helen' },
  });
  const graph = trace.begin(`${BASE}/graphql`, {
    method: 'POST',
    headers: JSON_HEADERS,
    hasToken: true,
    body,
  });
  Object.assign(graph, { status: 200, took: 35, bytes: 12_345 });
  const image = trace.begin(`${location.origin}/demo/wado/c4pability/frames/1?token=s3cret`, {
    method: 'GET',
    headers: { accept: 'image/jpeg' },
    hasToken: false,
  });
  Object.assign(image, { status: 404, took: 4, bytes: 90 });
  const lost = trace.begin(`${BASE}/fhir/Patient/helen`, { method: 'GET', headers: {}, hasToken: true });
  Object.assign(lost, { took: 30_000 });
  await open(undefined, {
    features: [protocol],
    ...options,
    prepare: ({ account }) => (account.calls = trace.calls),
  });
  await expect.element(page.getByRole('heading', { level: 1 })).toHaveTextContent('Helen');
  return trace;
}

const drawer = () => page.getByRole('region', { name: 'Requests of this page' });
const rows = () =>
  drawer()
    .getByRole('listitem')
    .elements()
    .map((row) => row.textContent!.replaceAll(/\s+/g, ' ').trim());

test('the menu of the account opens the requests, newest first, without secrets; Esc closes them', async () => {
  const trace = await opened();
  await choose('Account', 'Requests of this page');
  await expect.element(drawer()).toBeVisible();
  expect(rows()).toEqual([
    'GET gateway.example/demo/fhir/Patient/… no answer 30,000 ms',
    'GET /demo/wado/…/frames/1?token=… 404 4 ms 90 B',
    'POST gateway.example/demo/graphql · PatientRecord 200 35 ms 12 kB',
  ]);
  expect(document.body.textContent).not.toMatch(/s3cret|c4pability/);
  // A request that runs, and its end.
  const running = trace.begin(`${BASE}/fhir/metadata`, { method: 'GET', headers: {}, hasToken: false });
  await expect.poll(() => rows()[0]).toBe('GET gateway.example/demo/fhir/metadata … …');
  Object.assign(running, { status: 200, took: 8, bytes: 2 });
  await expect.poll(() => rows()[0]).toBe('GET gateway.example/demo/fhir/metadata 200 8 ms 2 B');
  expect(await violations()).toEqual([]);
  await shot('protocol');
  await userEvent.keyboard('{Escape}');
  await expect.element(drawer()).not.toBeInTheDocument();
});

test('a query: its text without ids, the playground with it, and its command', async () => {
  const copied: string[] = [];
  vi.spyOn(navigator.clipboard, 'writeText').mockImplementation((text) =>
    Promise.resolve(void copied.push(text)),
  );
  await opened();
  await userEvent.keyboard('{Shift>}N{/Shift}');
  await drawer().getByText('gateway.example/demo/graphql · PatientRecord').click();
  await expect.element(drawer().getByText('Patient(id: $id) { id }')).toBeVisible();
  const link = drawer().getByRole('link', { name: 'Open in the playground' }).element() as HTMLAnchorElement;
  expect(link.href).toMatch(/^https:\/\/gateway\.example\/demo\/playground#query=query\+PatientRecord/);
  await drawer().getByRole('button', { name: 'Copy as curl' }).click();
  await expect.element(drawer().getByText('Copied. Put the token into the variable TOKEN.')).toBeVisible();
  expect(copied[0]).toContain(`curl --request POST '${BASE}/graphql'`);
  expect(copied[0]).toContain('"Authorization: Bearer $TOKEN"');
  expect(drawer().element().innerHTML + copied[0]).not.toContain('helen');
  await shot('protocol-query');
  expect(await violations()).toEqual([]);
});

test('where copying is not allowed the command is shown', async () => {
  vi.spyOn(navigator.clipboard, 'writeText').mockRejectedValue(new DOMException('no', 'NotAllowedError'));
  await opened();
  await userEvent.keyboard('{Shift>}N{/Shift}');
  await drawer().getByText('/demo/wado/…/frames/1?token=…').click();
  await drawer().getByRole('button', { name: 'Copy as curl' }).click();
  await expect.element(drawer()).toHaveTextContent(`curl '${location.origin}/demo/wado/…/frames/1?token=…'`);
});

test('a closed list reads nothing, and no requests are said', async () => {
  const { account } = await open(undefined, { features: [protocol] });
  const reads = vi.fn(() => []);
  Object.defineProperty(account, 'calls', { get: reads });
  await new Promise((done) => setTimeout(done, 700));
  expect(reads).not.toHaveBeenCalled();
  await userEvent.keyboard('{Shift>}N{/Shift}');
  await expect.element(drawer()).toHaveTextContent('No requests yet.');
  await userEvent.keyboard('{Shift>}N{/Shift}');
  await expect.element(drawer()).not.toBeInTheDocument();
  const count = reads.mock.calls.length;
  await new Promise((done) => setTimeout(done, 700));
  expect(reads).toHaveBeenCalledTimes(count);
});

test('a phone, in Spanish: nothing is beside the screen', async () => {
  await opened({ size: PHONE });
  await userEvent.keyboard(',');
  await page.getByRole('dialog').getByText('Español').click();
  await userEvent.keyboard('{Escape}');
  await userEvent.keyboard('{Shift>}N{/Shift}');
  const region = page.getByRole('region', { name: 'Peticiones de esta página' });
  await expect.element(region).toHaveTextContent('sin respuesta');
  expect(scrollsSideways()).toBe(false);
  await shot('phone-protocol');
});
