/** A video in a DICOM object: a browser plays what the gateway gives (DW-28). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { startChromium } from './setup/chromium.ts';
import { freePort } from './setup/free-port.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { recordedVideo } from './setup/recorded-video.ts';
import { videoObject } from './setup/video-object.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const WHOLE = '1.9.1';
const PIECES = '1.9.2';
const instance = (uid: string) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1`;

let directory: string;
let browser: Browser;
let page: Page;
let orthanc: Orthanc;
let gateway: TestGateway;
let recorded: Buffer;
let events: AuditEvent[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'video-'));
  browser = await startChromium();
  page = await browser.newPage();
  recorded = await recordedVideo(page);
  const files = [
    videoObject(WHOLE, '1.2.840.10008.1.2.4.102', recorded),
    videoObject(PIECES, '1.2.840.10008.1.2.4.102.1', recorded, 3),
  ];
  for (const [i, file] of files.entries()) await writeFile(join(directory, `${i}.dcm`), file);
  orthanc = await startOrthanc({ files });
  const { dicomWebUrl: endpoint, username, password } = orthanc;
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const lookup = 'all-studies-on-server';
  const authentication = { type: 'http-basic', username, password };
  gateway = await buildTestGateway(
    () => ({
      folder: { authorization, images: { type: 'folder', lookup, path: directory } },
      orthanc: { authorization, images: { type: 'dicom-web', lookup, endpoint, authentication } },
    }),
    { images: '', patients: '' },
    (_tenant, event) => events.push(event),
    { port: await freePort() },
  );
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await orthanc?.stop();
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
});

const SOURCES = ['folder', 'orthanc'];
test.each(SOURCES.flatMap((source) => [WHOLE, PIECES].map((uid) => [source, uid] as const)))(
  'Chromium plays what is in %s as %s, to its end',
  async (source, uid) => {
    // A page that may load media of its own server.
    await page.goto(`${gateway.baseUrl}/health/live`);
    const played = page.evaluate(
      async (src) => {
        const video = Object.assign(document.createElement('video'), { src, muted: true });
        document.body.append(video);
        const ended = new Promise((resolve, reject) => {
          video.onended = resolve;
          video.onerror = () => reject(new Error(video.error?.message));
        });
        await video.play();
        await ended;
        return [video.videoWidth, video.videoHeight, video.currentTime > 0.1];
      },
      `${gateway.baseUrl}/${source}${instance(uid)}/rendered`,
    );
    expect(await played).toEqual([64, 48, true]);
  },
);

test.each(SOURCES)('from %s, each request is recorded once', async (source) => {
  const ask = async (path: string, headers = {}) => {
    events = [];
    const answer = await fetch(`${gateway.baseUrl}/${source}${instance(WHOLE)}${path}`, { headers });
    await answer.arrayBuffer();
    return [answer.status, events.map(({ outcome }) => outcome.kind)];
  };
  expect(await ask('/rendered', { range: 'bytes=0-9' })).toEqual([206, ['allowed']]);
  expect(await ask('/rendered', { accept: 'video/mp2t' })).toEqual([406, ['denied']]);
  expect(await ask('/frames/1')).toEqual([406, ['denied']]);
  expect(await ask('/pixeldata')).toEqual([200, ['allowed']]);
});
