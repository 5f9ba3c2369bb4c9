/** The OHIF viewer from npm, unmodified, with a token-protected tenant in a real Chromium (DW-11, IA-7). */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { startOhif, type OhifApp } from './clients/ohif-app.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { startChromium } from './setup/chromium.ts';
import { freePort } from './setup/free-port.ts';
import { describeWithSharedData, sharedDataPath, sharedDicomFiles } from './setup/shared-data.ts';
import { longTest } from './setup/usual-run.ts';

const root = resolve(import.meta.dirname, '../..');
const shots = join(root, 'dist/screenshots');
const TOKEN = 'token-of-the-ct-patient';

const files = sharedDicomFiles();
const ct = files.filter(({ file }) => file.startsWith('ct-head-ge/'));
const foreign = files.filter(({ file }) => file.startsWith('mr-t1-forrest/'));

describeWithSharedData('OHIF', () => {
  let ehr: AuthorizationServer;
  let gateway: TestGateway;
  let app: OhifApp;
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    ehr = await authorizationServer();
    ehr.tokens.set(TOKEN, {
      client_id: 'ohif',
      patient: 'p1',
      scope: 'patient/*.rs',
      exp: Math.floor(Date.now() / 1000) + 3600,
    });
    const mrn = { type: { coding: [{ code: 'MR' }] }, value: ct[0]!.patientId };
    ehr.patients.set('p1', { resourceType: 'Patient', id: 'p1', identifier: [mrn] });
    folder = await mkdtemp(join(tmpdir(), 'ohif-images-'));
    for (const [index, { file }] of [...ct, ...foreign].entries())
      await cp(sharedDataPath('dicom', file), join(folder, `${index}.dcm`));
    const hospital = {
      authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
      images: { type: 'folder', path: folder, lookup: 'studies-by-mrn' },
    };
    await mkdir(shots, { recursive: true });
    [gateway, browser] = await Promise.all([
      buildTestGateway(() => ({ hospital }), { images: '', patients: '' }, undefined, {
        port: await freePort(),
      }),
      startChromium(),
    ]);
    app = await startOhif(`${gateway.baseUrl}/hospital/dicomweb`, TOKEN);
    // OHIF sends no second request while the folder is being indexed.
    const headers = { authorization: `Bearer ${TOKEN}` };
    const listed = async () => (await fetch(`${gateway.baseUrl}/hospital/dicomweb/studies`, { headers })).ok;
    await vi.waitUntil(listed, { timeout: 120_000, interval: 500 });
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await app?.stop();
    await gateway?.close();
    await ehr?.close();
    await rm(folder, { recursive: true, force: true });
  });

  longTest(
    'DW-11, IA-7 lists, opens and scrolls a CT, and gets nothing of a foreign patient',
    async () => {
      const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
      const answers: { path: string; status: number; body: Promise<Buffer> }[] = [];
      page.on('response', (response) => {
        const url = response.url();
        if (!url.startsWith(gateway.baseUrl) || response.request().method() === 'OPTIONS') return;
        const body = response.body().catch(() => Buffer.alloc(0));
        answers.push({
          path: url.slice(`${gateway.baseUrl}/hospital/dicomweb`.length),
          status: response.status(),
          body,
        });
      });
      const origin = app.url;

      // The list has one study, the patient's own.
      await page.goto(`${origin}/`);
      await page.getByText('1-1 of 1').waitFor({ timeout: 60_000 });
      await page.getByText('HEAD', { exact: true }).waitFor();
      await page.screenshot({ path: join(shots, 'ohif-list.png') });

      // The study shows an image that is not black and that scrolls.
      await page.goto(`${origin}/viewer?StudyInstanceUIDs=${ct[0]!.studyUid}`);
      const before = await vi.waitUntil(() => picture(page), { timeout: 90_000, interval: 500 });
      await page.screenshot({ path: join(shots, 'ohif-viewer.png') });
      // Scrolls until the image changes: OHIF ignores the wheel while it lays out its viewports or shows its tour.
      const scrolled = async () => {
        const tour = page.getByText('Skip all');
        if (await tour.isVisible()) await tour.click();
        await page.mouse.move(700, 500);
        await page.mouse.wheel(0, 100);
        return ![undefined, before].includes(await picture(page));
      };
      await vi.waitUntil(scrolled, { timeout: 30_000, interval: 500 });
      await page.screenshot({ path: join(shots, 'ohif-scrolled.png') });

      expect(
        answers.filter(({ status }) => status >= 400).map(({ path, status }) => `${status} ${path}`),
      ).toEqual([]);
      const framesRead = answers.filter(({ path }) => path.includes('/frames/')).length;
      expect(framesRead).toBeGreaterThan(1);

      // The study of another patient, by its UID, does not exist.
      const own = answers.length;
      await page.goto(`${origin}/viewer?StudyInstanceUIDs=${foreign[0]!.studyUid}`);
      await page.getByText('not available at this time').waitFor({ timeout: 30_000 });
      expect(answers.length).toBeGreaterThan(own);
      await page.screenshot({ path: join(shots, 'ohif-foreign.png') });
      for (const { path, status, body } of answers.slice(own)) {
        const text = (await body).toString();
        expect([path, status === 404 || text === '[]']).toEqual([path, true]);
      }
      for (const { body } of answers) {
        expect((await body).includes(foreign[0]!.seriesUid!)).toBe(false);
      }
      await page.close();
    },
    240_000,
  );
});

/**
 * Returns a fingerprint of the image in the first viewport; undefined while it is black, or missing because OHIF lays
 * out its viewports again.
 */
async function picture(page: Page): Promise<number | undefined> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.cornerstone-canvas');
    if (!canvas?.width) return undefined;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d')!;
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let lit = 0;
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at]! > 40) lit++;
      sum = (sum * 31 + data[at]!) % 1_000_003;
    }
    return lit * 4 > 0.02 * data.length ? sum : undefined;
  });
}
