/** A video in a DICOM object, from a folder to the glass of the viewer (DW-28). */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChromium } from './setup/chromium.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { recordedVideo } from './setup/recorded-video.ts';
import { streamLike, videoObject } from './setup/video-object.ts';

/** Tenants, each with one video. */
const VIDEOS = ['played', 'unknown'] as const;

let directory: string;
let browser: Browser;
let gateway: GatewayProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'video-in-viewer-'));
  browser = await startChromium();
  const page = await browser.newPage();
  const recorded = await recordedVideo(page);
  await page.close();
  for (const folder of [...VIDEOS, 'patients', 'tenants']) await mkdir(join(directory, folder));
  const write = (path: string, content: string | Buffer) => writeFile(join(directory, path), content);
  await write('played/1.dcm', videoObject('1.9.1', '1.2.840.10008.1.2.4.102', recorded));
  await write('unknown/1.dcm', videoObject('1.9.2', '1.2.840.10008.1.2.4.100', streamLike('video/mpeg')));
  const type = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] };
  const patient = {
    resourceType: 'Patient',
    id: 'watched',
    name: [{ family: 'Watched', given: ['Wilma'] }],
    identifier: [{ type, system: 'http://hospital.example', value: 'BAD' }],
  };
  const entry = [{ resource: patient, request: { method: 'PUT', url: 'Patient/watched' } }];
  await write('patients/one.json', JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry }));
  for (const video of VIDEOS) {
    const tenant = {
      authorization: { type: 'mock', disableAuthzChecks: true },
      clinical: { type: 'store', path: join(directory, 'patients') },
      images: { type: 'folder', path: join(directory, video), lookup: 'all-studies-on-server' },
    };
    await write(`tenants/${video}.json`, JSON.stringify(tenant));
  }
  gateway = await startGateway({ TENANTS_DIR: join(directory, 'tenants'), DIMSE_PORT: '0' });
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
});

/** Opens the study of a tenant, as a person does who does not know yet that it is a video. */
async function openStudy(video: (typeof VIDEOS)[number]): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(`${gateway.url}/app/?tenant=${video}&patient=watched`);
  const timeline = page.getByRole('navigation', { name: 'Timeline' });
  await timeline.getByRole('button', { name: '1 image or film' }).click();
  return { page, errors };
}

/** The brightest colour of the middle of the picture that is on the glass. */
const brightest = (page: Page) =>
  page.evaluate(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d')!;
    canvas.drawImage(document.querySelector('video')!, 32, 24, 1, 1, 0, 0, 1, 1);
    return Math.max(...canvas.getImageData(0, 0, 1, 1).data.subarray(0, 3));
  });

test('is played, frame for frame', async () => {
  const { page, errors } = await openStudy('played');
  const bar = page.getByRole('group', { name: 'Film' });
  const frame = async () => Number(/frame (\d+)\//.exec(await bar.innerText())?.[1]);
  await expect.poll(frame).toBe(1);
  await bar.getByRole('button', { name: 'One frame on' }).click();
  await bar.getByRole('button', { name: 'One frame on' }).click();
  await expect.poll(frame).toBe(3);
  // Each picture is of one full colour.
  await expect.poll(() => brightest(page)).toBeGreaterThan(200);
  await bar.getByRole('button', { name: 'Play' }).click();
  await expect.poll(frame).toBeGreaterThan(6);
  await page.screenshot({ path: join(import.meta.dirname, '../../dist/screenshots/video-of-a-gateway.png') });
  expect(errors).toEqual([]);
  await page.close();
}, 60_000);

test('of a coding that the browser does not know has a sentence, and is kept as a file', async () => {
  const { page, errors } = await openStudy('unknown');
  await page.getByText('This browser cannot play this video.').waitFor();
  await page.getByRole('link', { name: 'Download' }).waitFor();
  expect(errors).toEqual([]);
  await page.close();
}, 60_000);
