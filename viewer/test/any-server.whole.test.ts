/**
 * The viewer as a static site of nginx, at a foreign EHR by FHIR REST, with the images of a second server that the EHR names:
 * no GraphQL, and nothing of our gateway at the page's own address.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChromium } from '../../gateway/test/setup/chromium.ts';
import { startGateway, type GatewayProcess } from '../../gateway/test/setup/gateway.ts';
import { startFaultProxy, type Fault, type FaultProxy } from './setup/fault-proxy.ts';
import { startStaticSite, type StaticSite } from './setup/static-site.ts';
import { canvasOf, openViewer, signInAs, signInAsClinician } from './setup/viewer-page.ts';

const root = join(import.meta.dirname, '../..');
const shots = join(root, 'dist/screenshots');
const SAMIR = 'demo-samir-haddad';
const SECRET = 'the-secret-of-the-imaging-server';
const OPEN = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'authorization',
  'content-type': 'application/json',
};

let directory: string;
let site: StaticSite;
let browser: Browser;
/** In front of the EHR: it hides what an EHR without imaging does not have. */
let ehr: FaultProxy;
let clinical: GatewayProcess;
let imaging: GatewayProcess;
/** The SMART configuration of the EHR, with the imaging server as its associated endpoint. */
let ehrDocument: Record<string, unknown>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'any-server-'));
  await mkdir(shots, { recursive: true });
  [site, browser, ehr] = await Promise.all([
    startStaticSite(join(root, 'dist/viewer')),
    startChromium(),
    startFaultProxy(),
  ]);
  const patients = join(root, 'gateway/demo/patients');
  const images = { type: 'folder', path: { $env: 'DEMO_IMAGES' }, lookup: 'studies-by-mrn' };
  const client_id = 'imaging-server';
  const clinicalDir = await tenantFile('ehr', {
    authorization: {
      type: 'embedded',
      modes: ['app-launch', 'backend-services'],
      clients: [
        { client_id: 'static-viewer', client_name: 'The static viewer', redirect_uris: [site.url] },
        { client_id: 'viewer', client_name: 'The viewer of a launch', redirect_uris: [site.url] },
        { client_id, client_secret: SECRET, scope: 'system/*.rs' },
      ],
      policy: [{ client_id, patients: [SAMIR] }],
    },
    clinical: { type: 'store', path: patients },
    images,
  });
  const imagingDir = await tenantFile('imaging', {
    authorization: {
      type: 'smart-on-fhir',
      fhirBaseUrl: `${ehr.url}/ehr/fhir`,
      scope: 'system/Patient.read',
      client: { client_id, client_secret: SECRET },
    },
    images,
  });
  [clinical, imaging] = await Promise.all([
    startGateway({ BASE_URL: ehr.url, TENANTS_DIR: clinicalDir, DIMSE_PORT: '0' }),
    startGateway({ TENANTS_DIR: imagingDir, DIMSE_PORT: '0' }),
  ]);
  ehr.target = Number(new URL(clinical.url).port);
  const document = await fetch(`${ehr.url}/ehr/fhir/.well-known/smart-configuration`);
  const { capabilities, ...rest } = (await document.json()) as { capabilities: string[] };
  ehrDocument = {
    ...rest,
    capabilities: capabilities.filter((one) => !one.includes('imaging')),
    associated_endpoints: [{ url: `${imaging.url}/imaging/fhir`, capabilities: ['smart-imaging-access'] }],
  };
  ehr.fault = withoutImaging;
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await Promise.all([clinical?.stop(), imaging?.stop(), site?.stop()]);
  await ehr?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Writes a tenant file into a folder of its own. */
async function tenantFile(key: string, file: object): Promise<string> {
  const folder = join(directory, key);
  await mkdir(folder);
  await writeFile(join(folder, `${key}.json`), JSON.stringify(file));
  return folder;
}

function withoutImaging({ path }: { path: string }): Fault | undefined {
  if (path.endsWith('/smart-configuration'))
    return { status: 200, headers: OPEN, body: JSON.stringify(ehrDocument) };
  const isUnknown = /\/(graphql|dicomweb|wado)\b|\/fhir\/(ImagingStudy|Endpoint)\b/.test(path);
  return isUnknown ? { status: 404, headers: OPEN, body: '{}' } : undefined;
}

test('sign-in at the EHR, its record by REST, and a picture of the imaging server with the same token', async () => {
  const { page, errors } = await openViewer(browser, site.url);
  await page.getByRole('alert').getByText('There is no server beside this page.').waitFor();
  await page.screenshot({ path: join(shots, 'static-site.png') });
  await page.getByLabel('Name').fill('The EHR');
  await page.getByLabel('FHIR address').fill(`${ehr.url}/ehr/fhir`);
  await page.getByLabel('Client id (optional)').fill('static-viewer');
  await page.keyboard.press('Enter');
  const asked: URL[] = [];
  page.on('request', (request) => asked.push(new URL(request.url())));
  await page.getByRole('link', { name: /The EHR/ }).click();
  await signInAs(page, 'Samir Haddad');

  await page.getByRole('heading', { name: 'Samir Haddad', level: 1 }).waitFor();
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 60_000 }).toBeGreaterThan(0.05);
  await page.screenshot({ path: join(shots, 'any-server.png') });

  const hosts = (pattern: RegExp) =>
    new Set(asked.filter(({ pathname }) => pattern.test(pathname)).map(({ origin }) => origin));
  expect(hosts(/\/graphql$/)).toEqual(new Set());
  expect(hosts(/\/fhir\/(Patient|Observation|Condition)\b/)).toEqual(new Set([ehr.url]));
  expect(hosts(/\/fhir\/ImagingStudy\b/)).toEqual(new Set([imaging.url]));
  expect(hosts(/\/frames\//)).toEqual(new Set([imaging.url]));
  // Nothing but the files of the viewer is asked of its own site, and no server beside these is asked at all.
  const own = asked.filter(
    // A blob is of the page itself: nobody is asked for it.
    ({ origin, protocol }) => protocol !== 'blob:' && origin === new URL(site.url).origin,
  );
  expect(own.filter(({ pathname }) => !pathname.startsWith('/somewhere/'))).toEqual([]);
  expect(hosts(/^\//)).toEqual(new Set([new URL(site.url).origin, ehr.url, imaging.url]));
  expect(errors).toEqual([]);

  await page.reload();
  await page.getByRole('heading', { name: 'Samir Haddad', level: 1 }).waitFor();
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 60_000 }).toBeGreaterThan(0.05);
  await page.context().close();
}, 180_000);

test('a launch by an EHR that is not in the list goes on when the user trusts it; Back leaves in one press', async () => {
  const started = await fetch(`${ehr.url}/ehr/oauth/launch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ patient: SAMIR }),
  });
  const { launch } = (await started.json()) as { launch: string };
  const before = `${imaging.url}/errors`;
  const { page, errors } = await openViewer(browser, before);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(`${site.url}?iss=${encodeURIComponent(`${ehr.url}/ehr/fhir`)}&launch=${launch}`);
  await page.getByText(`${new URL(ehr.url).host} wants to open a record here`).waitFor();
  await page.screenshot({ path: join(shots, 'unknown-issuer.png') });
  expect(asked.filter((url) => url.startsWith(ehr.url))).toEqual([]);
  await page.getByRole('button', { name: 'Trust this server and go on' }).click();
  await signInAsClinician(page);
  await page.getByRole('heading', { name: 'Samir Haddad', level: 1 }).waitFor();
  expect(asked.some((url) => url.includes('/authorize?') && url.includes(`launch=${launch}`))).toBe(true);
  expect(page.url()).not.toMatch(/launch|samir|code|state/);
  await page.goBack();
  await expect.poll(() => page.url()).toBe(before);
  expect(errors).toEqual([]);
  await page.context().close();
}, 120_000);

test('an imaging server that is away: the record of the EHR is shown, and the page says what is missing', async () => {
  const { page } = await openViewer(browser, `${site.url}?signed-out=`);
  await page.evaluate(
    ([fhirBase]) =>
      localStorage.setItem(
        'servers',
        JSON.stringify([{ name: 'The EHR', fhirBase, clientId: 'static-viewer' }]),
      ),
    [`${ehr.url}/ehr/fhir`],
  );
  await page
    .context()
    .route(`${imaging.url}/**`, (route) =>
      route.fulfill({ status: 503, headers: { ...OPEN, 'retry-after': '1' } }),
    );
  await page.goto(`${site.url}?tenant=${encodeURIComponent(`${ehr.url}/ehr/fhir`.replace('http://', ''))}`);
  await signInAs(page, 'Samir Haddad');
  await page.getByRole('heading', { name: 'Samir Haddad', level: 1 }).waitFor();
  await page.getByText('The image archive did not answer. Clinical data are complete.').waitFor();
  await page.getByText('whether there are any is not known').waitFor();
  await page.getByRole('navigation', { name: 'Timeline' }).getByRole('button').first().waitFor();
  await page.context().unroute(`${imaging.url}/**`);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 60_000 }).toBeGreaterThan(0.05);
  expect(await page.getByText('The image archive did not answer.').count()).toBe(0);
  await page.context().close();
}, 120_000);
