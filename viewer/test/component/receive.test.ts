import { CompactEncrypt } from 'jose';
import { afterEach, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import { readHealthLink } from '../../src/receive/health-link.ts';
import Receive from '../../src/receive/Receive.svelte';
import type { ImageLocation } from '../../src/domain/study.ts';
import type { OpenedSeries } from '../../src/state/stage/imaging.ts';
import { FakeImaging } from './fakes.ts';
import { PHONE, scrollsSideways, shot, violations } from './open.ts';

const BASE = 'https://gateway.example/';
const FHIR = `${BASE}demo/fhir`;
const MANIFEST = `${BASE}demo/shl/${'a'.repeat(43)}`;
const CAPABILITY = `${BASE}demo/shared/${'c'.repeat(43)}/dicom-web`;
const KEY = new Uint8Array(32).map((_, index) => index);
const keyText = btoa(String.fromCharCode(...KEY))
  .replaceAll('+', '-')
  .replaceAll('/', '_')
  .replace('=', '');

const base64url = (text: string) => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const fragmentOf = (payload: object) => `#shlink:/${base64url(JSON.stringify(payload))}`;
const IN_A_WEEK = Math.floor(Date.now() / 1000) + 604_800;
const payload = { url: MANIFEST, key: keyText, flag: 'LP', exp: IN_A_WEEK, label: 'CT chest' };

const WADO = {
  resourceType: 'Endpoint',
  status: 'active',
  connectionType: { code: 'dicom-wado-rs' },
  address: CAPABILITY,
};
const SNAPSHOT = {
  resourceType: 'Bundle',
  type: 'collection',
  entry: [
    {
      fullUrl: `${FHIR}/Patient/helen`,
      resource: {
        resourceType: 'Patient',
        id: 'helen',
        name: [{ given: ['Helen'], family: 'Castellanos' }],
        birthDate: '1972-05-01',
      },
    },
    {
      fullUrl: `${FHIR}/DiagnosticReport/r`,
      resource: {
        resourceType: 'DiagnosticReport',
        id: 'r',
        status: 'final',
        code: { text: 'CT of the chest' },
        subject: { reference: 'Patient/helen' },
        imagingStudy: [{ reference: 'ImagingStudy/1.2.20' }],
        conclusion: 'No nodule.',
        effectiveDateTime: '2026-02-02',
      },
    },
  ],
};
const STUDY = {
  resourceType: 'Bundle',
  type: 'document',
  entry: [
    { fullUrl: 'urn:uuid:1', resource: { resourceType: 'Composition', status: 'final' } },
    {
      fullUrl: `${FHIR}/ImagingStudy/1.2.20`,
      resource: {
        resourceType: 'ImagingStudy',
        id: '1.2.20',
        status: 'available',
        identifier: [{ system: 'urn:dicom:uid', value: 'urn:oid:1.2.20' }],
        subject: { reference: `${FHIR}/Patient/helen` },
        started: '2026-02-02',
        description: 'CT chest',
        modality: [{ code: 'CT' }],
        numberOfInstances: 2,
        series: [
          {
            uid: '1.2.20.1',
            number: 1,
            modality: { code: 'CT' },
            numberOfInstances: 2,
            endpoint: [{ reference: 'urn:uuid:2' }],
          },
        ],
      },
    },
    { fullUrl: 'urn:uuid:2', resource: WADO },
  ],
};

/** Encrypts as gateways do, by another implementation. */
function encrypted(bundle: object, zip: boolean): Promise<string> {
  const header = { alg: 'dir', enc: 'A256GCM', cty: 'application/fhir+json', ...(zip && { zip: 'DEF' }) };
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(bundle)))
    .setProtectedHeader(header)
    .encrypt(KEY);
}

/** Where images were asked for. */
const places: string[] = [];

class LinkedImaging extends FakeImaging {
  override openSeries(at: ImageLocation, name: { study: string; series: string }): Promise<OpenedSeries> {
    places.push(at.dicomweb);
    return super.openSeries(at, name);
  }
}

/** Requests that left the page: method, address, body. */
const asked: { method: string; url: string; body: unknown }[] = [];
let status = 200;
/** After a wrong passcode. */
let triesLeft = 3;
let fetched: { mockRestore(): void } | undefined;

async function opened(hash = fragmentOf(payload), size: readonly [number, number] = [1400, 900]) {
  await cleanup();
  await page.viewport(...size);
  localStorage.clear();
  sessionStorage.clear();
  history.replaceState(null, '', '?');
  asked.length = places.length = 0;
  const files = [await encrypted(SNAPSHOT, false), await encrypted(STUDY, false)];
  fetched = vi.spyOn(globalThis, 'fetch').mockImplementation((input, init = {}) => {
    const url = String(input as string);
    asked.push({ method: init.method ?? 'GET', url, body: init.body && JSON.parse(init.body as string) });
    if (url === `${MANIFEST}/f/once`) return Promise.resolve(new Response(files[1]!));
    if (url !== MANIFEST) return Promise.resolve(new Response(null, { status: 404 }));
    if (status !== 200) return Promise.resolve(Response.json({ remainingAttempts: triesLeft }, { status }));
    const contentType = 'application/fhir+json';
    return Promise.resolve(
      Response.json({
        files: [
          { contentType, embedded: files[0] },
          { contentType, location: `${MANIFEST}/f/once` },
        ],
      }),
    );
  });
  await render(Receive, { link: readHealthLink(hash, BASE), imagingOf: () => new LinkedImaging() });
}
afterEach(() => {
  [status, triesLeft] = [200, 3];
  fetched?.mockRestore();
});

async function enter(passcode = 'kq7m2xsd') {
  await page.getByRole('textbox', { name: 'Your name and where you work' }).fill('Dr Weiss, Kiel');
  await page.getByRole('textbox', { name: 'Passcode' }).fill(passcode);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
}

test('with name and passcode the record and the study are shown, and their images asked for by the link', async () => {
  await opened();
  await expect.element(page.getByText('CT chest')).toBeVisible();
  expect(await violations()).toEqual([]);
  await shot('receive-form');
  await enter();
  await expect.element(page.getByRole('heading', { name: 'Helen Castellanos' })).toBeVisible();
  await expect.element(page.getByText('No nodule.').first()).toBeInTheDocument();
  await expect.poll(() => places).toContain(CAPABILITY);
  expect(asked[0]).toEqual({
    method: 'POST',
    url: MANIFEST,
    body: { recipient: 'Dr Weiss, Kiel', passcode: 'kq7m2xsd', embeddedLengthMax: 100_000 },
  });
  // The record itself is asked for nothing.
  expect(asked.filter(({ url }) => url.startsWith(FHIR))).toEqual([]);
  // Nobody may read that there are no allergies or medications: the link does not say so.
  for (const none of ['No known allergies', 'None recorded', 'No allergies recorded'])
    await expect.element(page.getByText(none)).not.toBeInTheDocument();
  await shot('receive-record');
});

test.each([
  [401, 'The passcode is wrong. Tries left before the link ends: 3.'],
  [404, 'This link does not exist or has ended. Ask the person who sent it for a new one.'],
  [429, 'The server cannot answer now. Try again in a minute.'],
  [500, 'The link could not be opened. Nothing is shown.'],
])('status %i: %s', async (answered, said) => {
  await opened();
  status = answered;
  await enter();
  await expect.element(page.getByRole('alert')).toHaveTextContent(said);
  await expect.element(page.getByRole('button', { name: 'Open', exact: true })).toBeEnabled();
});

test('the last wrong passcode ends the link', async () => {
  await opened();
  [status, triesLeft] = [401, 0];
  await enter();
  await expect.element(page.getByRole('alert')).toHaveTextContent('has ended');
});

test('a file that was changed on its way is not shown', async () => {
  await opened(fragmentOf({ ...payload, key: 'B'.repeat(43) }));
  await enter();
  await expect.element(page.getByRole('alert')).toHaveTextContent('Nothing is shown.');
});

test.each([
  ['of another server', fragmentOf({ ...payload, url: MANIFEST.replace('gateway', 'other') })],
  ['with a short key', fragmentOf({ ...payload, key: 'abc' })],
  ['that is cut', fragmentOf(payload).slice(0, -30)],
  ['without a payload', '#shlink:/'],
  ['that is none', ''],
])('a link %s is not opened', async (_what, hash) => {
  await opened(hash);
  await expect.element(page.getByRole('alert')).toHaveTextContent('This is not a whole link of this server.');
  expect(page.getByRole('button').all()).toEqual([]);
});

test('a link that has ended asks for nothing', async () => {
  await opened(fragmentOf({ ...payload, exp: 1 }));
  await expect.element(page.getByRole('alert')).toHaveTextContent('has ended');
  expect(asked).toEqual([]);
});

test('a link without a passcode asks for the name alone; on a phone, by keys', async () => {
  await opened(fragmentOf({ ...payload, flag: 'L' }), PHONE);
  await expect.element(page.getByRole('textbox', { name: 'Passcode' })).not.toBeInTheDocument();
  await shot('receive-form-phone');
  await userEvent.keyboard('{Tab}Dr Weiss{Enter}');
  await expect.element(page.getByRole('heading', { name: 'Helen Castellanos' })).toBeVisible();
  expect(asked[0]!.body).toEqual({ recipient: 'Dr Weiss', embeddedLengthMax: 100_000 });
  expect(scrollsSideways()).toBe(false);
  await shot('receive-record-phone');
});
