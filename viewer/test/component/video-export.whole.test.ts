/** Videos of a stack or a film. ffmpeg judges the files: each frame is compared with the picture that the page draws. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { cineFeature } from '../../src/features/cine/cine.ts';
import { download } from '../../src/features/download/download.ts';
import { measure } from '../../src/features/measure/measure.ts';
import { videoExport } from '../../src/features/video-export/video-export.ts';
import { open, PHONE, scrollsSideways, shot, violations, type Opened } from './open.ts';
import { chosenFile, COUNT, film, frameTime, judged, pictures } from './saved-video.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=3';
const saved: { name: string; blob: Promise<Blob> }[] = [];
beforeEach(() => {
  saved.length = 0;
  Reflect.deleteProperty(window, 'showSaveFilePicker');
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    saved.push({ name: this.download, blob: fetch(this.href).then((answer) => answer.blob()) });
  });
});
afterEach(() => vi.restoreAllMocks());

/** Opens the third image of the film, or without times of slices. */
async function opened(times?: Instance): Promise<Opened> {
  const fakes = await open(STUDY, {
    size: PHONE,
    features: [measure, cineFeature, download, videoExport],
    prepare({ imaging }) {
      if (times) imaging.stacks = (name) => [film(name, times)];
    },
  });
  await expect.element(page.getByText(`image 3/${COUNT}`)).toBeVisible();
  return fakes;
}

const ask = () => userEvent.keyboard('{Shift>}V{/Shift}');
const dialog = () => page.getByRole('dialog', { name: 'Save a video' });
const begin = () => page.getByRole('button', { name: 'Save the video' }).click();
const said = (text: string) => expect.element(dialog().getByText(text)).toBeVisible();

/** The browser has none of these coders. */
function without(...codecs: string[]) {
  const asked = VideoEncoder.isConfigSupported.bind(VideoEncoder);
  vi.spyOn(VideoEncoder, 'isConfigSupported').mockImplementation((config) =>
    codecs.some((codec) => config.codec.startsWith(codec))
      ? Promise.resolve({ supported: false, config })
      : asked(config),
  );
}

const VECTOR = [0, ...Array.from({ length: COUNT - 1 }, (_, index) => (index % 2 === 0 ? 40 : 120))];
const FRAME_TIME_VECTOR: Instance = { '00181065': { vr: 'DS', Value: VECTOR } };
const BEGINS = VECTOR.reduce<number[]>((begins, step) => [...begins, (begins.at(-1) ?? 0) + step / 1000], []);
const even = (rate: number) => Array.from({ length: COUNT }, (_, index) => index / rate);

test.each([
  ['H.264', [], 'h264', 'mp4', FRAME_TIME_VECTOR, BEGINS],
  ['AV1 where there is no H.264', ['avc1'], 'av1', 'mp4', frameTime(50), even(20)],
  ['VP9 where there is neither', ['avc1', 'av01'], 'vp9', 'webm', frameTime(80), even(12.5)],
] as const)(
  'a film is saved in true time, each image once: %s',
  async (_what, missing, codec, extension, times, begins) => {
    without(...missing);
    await opened(times);
    // Drawn on one image.
    await userEvent.keyboard(
      'l{Enter}{Shift>}{ArrowRight}{ArrowRight}{ArrowRight}{ArrowRight}{/Shift}{Enter}{Escape}',
    );
    const truth = await pictures(false);
    await ask();
    await begin();
    await said('Saved: 24 images.');
    expect(saved[0]!.name).toBe(`20260312-series-3.${extension}`);
    const video = await judged(await saved[0]!.blob, truth);
    expect([video.codec, video.times.length]).toEqual([codec, COUNT]);
    expect([video.width % 2, video.height % 2]).toEqual([0, 0]);
    expect([video.width - truth.size.width, video.height - truth.size.height].every((more) => more < 2)).toBe(
      true,
    );
    expect(Math.max(...video.times.map((time, index) => Math.abs(time - begins[index]!)))).toBeLessThan(
      0.0015,
    );
    const frame = begins.at(-1)! / (COUNT - 1);
    expect(Math.abs(video.duration - begins.at(-1)! - frame)).toBeLessThan(frame);
    expect(video.mean).toBeGreaterThanOrEqual(40);
    expect(video.worst).toBeGreaterThanOrEqual(36);
    const tags = JSON.stringify(video.tags);
    expect(tags).toContain('Not for primary diagnosis');
    expect(tags).not.toMatch(/helen|castellanos/i);
  },
);

test('slices are saved at a rate that is chosen; a name is written only if it is asked for', async () => {
  await opened();
  const [named, nameless] = [await pictures(true), await pictures(false)];
  await ask();
  await dialog().getByText('5', { exact: true }).click();
  await dialog().getByRole('checkbox', { name: "Put the patient's name on the images" }).click();
  await said(
    '24 images as they are on the screen, with what is written and measured on them: 4.8 s, 5 images/s.',
  );
  await begin();
  await said('Saved: 24 images.');
  expect(saved[0]!.name).toBe('Helen-Marie-Castellanos-20260312-series-3.mp4');
  const blob = await saved[0]!.blob;
  const video = await judged(blob, named);
  expect(video.duration).toBeCloseTo(4.8, 1);
  expect(video.worst).toBeGreaterThanOrEqual(36);
  // The name makes the difference.
  expect(video.mean - (await judged(blob, nameless)).mean).toBeGreaterThan(3);
});

test('the whole image is saved unless what is on the screen is asked for; the stage is as before then', async () => {
  const { imaging } = await opened(frameTime(40));
  const zoom = () => document.querySelector('.bottom-right')!.textContent!;
  await userEvent.keyboard('++');
  await expect.poll(zoom).not.toContain('100 %');
  const before = zoom();
  const seen: string[] = [];
  const encode = VideoEncoder.prototype.encode;
  vi.spyOn(VideoEncoder.prototype, 'encode').mockImplementation(function (this: VideoEncoder, ...frame) {
    seen.push(zoom());
    encode.apply(this, frame);
  });
  await ask();
  await begin();
  await said('Saved: 24 images.');
  expect(new Set(seen).size).toBe(1);
  expect(seen[0]).toContain('100 %');
  expect(zoom()).toBe(before);
  seen.length = 0;
  await dialog().getByText('As on the screen').click();
  await begin();
  await said('Saved: 24 images.');
  await expect.poll(() => seen.length).toBe(COUNT);
  expect(new Set(seen)).toEqual(new Set([before]));
  await expect.element(page.getByText(`image 3/${COUNT}`)).toBeVisible();
  expect(imaging.drawn.view.series).toBe('1.2.10.3');
});

test('where a file can be chosen, the video is written into it; few images are kept at a time', async () => {
  const { file, names } = chosenFile();
  await opened(frameTime(30));
  const truth = await pictures(false);
  const waiting: number[] = [];
  const encode = VideoEncoder.prototype.encode;
  vi.spyOn(VideoEncoder.prototype, 'encode').mockImplementation(function (this: VideoEncoder, ...frame) {
    encode.apply(this, frame);
    waiting.push(this.encodeQueueSize);
  });
  await ask();
  await begin();
  await said('Saved: 24 images.');
  expect([names, file.ended, saved]).toEqual([['20260312-series-3.mp4'], 'closed', []]);
  const video = await judged(new Blob([file.bytes]), truth);
  expect(video.times).toHaveLength(COUNT);
  expect(video.worst).toBeGreaterThanOrEqual(36);
  expect(Math.max(...waiting)).toBeLessThanOrEqual(4);
});

test.each([
  ['the button', () => dialog().getByRole('button', { name: 'Cancel' }).click()],
  ['Escape', () => userEvent.keyboard('{Escape}')],
])('cancelled by %s: no file is left, and the stage is as before', async (by, cancel) => {
  const { file } = chosenFile();
  const { imaging } = await opened(frameTime(31));
  await ask();
  await expect.element(page.getByRole('button', { name: 'Save the video' })).toBeEnabled();
  imaging.drawn.held = true;
  await begin();
  await said('0 of 24 images');
  await cancel();
  imaging.drawn.held = false;
  if (by === 'the button') await said('Cancelled; nothing was saved.');
  else await expect.element(dialog()).not.toBeInTheDocument();
  await expect.poll(() => file).toMatchObject({ ended: 'aborted', removed: true });
  expect(saved).toEqual([]);
  await expect.element(page.getByText(`image 3/${COUNT}`)).toBeVisible();
});

test('no file is chosen: nothing is saved', async () => {
  Object.assign(window, { showSaveFilePicker: () => Promise.reject(new DOMException('none', 'AbortError')) });
  await opened(frameTime(32));
  await ask();
  await begin();
  await said('Cancelled; nothing was saved.');
});

test('a browser that codes no video says so, and has no button', async () => {
  without('avc1', 'av01', 'vp09');
  await opened(frameTime(33));
  await ask();
  await said('This browser cannot make a video on this page. You can save a picture, or the DICOM files.');
  await expect.element(page.getByRole('button', { name: 'Save the video' })).not.toBeInTheDocument();
});

test.each([
  ['refuses an image', () => refuse('encode')],
  ['fails at the end', () => refuse('flush')],
  ['is closed by the browser', () => refuse('closed')],
] as const)('an encoder that %s: nothing is saved, and the page says so', async (_what, fail) => {
  const { file } = chosenFile();
  await opened(frameTime(34));
  await ask();
  fail();
  await begin();
  await said('The browser could not make the video. Nothing was saved.');
  expect(file).toMatchObject({ ended: 'aborted', removed: true });
  await expect.element(page.getByRole('button', { name: 'Save the video' })).toBeEnabled();
});

function refuse(how: 'encode' | 'flush' | 'closed'): void {
  const error = new DOMException('the encoder failed', 'EncodingError');
  if (how === 'flush') return void vi.spyOn(VideoEncoder.prototype, 'flush').mockRejectedValue(error);
  let frames = 0;
  const encode = VideoEncoder.prototype.encode;
  vi.spyOn(VideoEncoder.prototype, 'encode').mockImplementation(function (this: VideoEncoder, ...frame) {
    if (++frames < 5) return encode.apply(this, frame);
    if (how === 'closed') this.close();
    throw error;
  });
}

test('a disk that is full: nothing is saved, and the page says so', async () => {
  const { file } = chosenFile({ fails: true });
  await opened(frameTime(35));
  await ask();
  await begin();
  await said('The file could not be written. Nothing was saved.');
  expect(file).toMatchObject({ ended: 'aborted', removed: true });
});

test('an image that cannot be shown: its number and its reason', async () => {
  const { imaging } = await opened(frameTime(36));
  await ask();
  await expect.element(page.getByRole('button', { name: 'Save the video' })).toBeEnabled();
  imaging.drawn.held = true;
  await begin();
  await said('0 of 24 images');
  imaging.drawn.view.fail(new Trouble('damaged', 'length'));
  await expect.element(dialog().getByRole('alert')).toHaveTextContent(/^Image 1:.*arrived damaged/);
  expect(saved).toEqual([]);
});

test('a window that changes its size ends it', async () => {
  const { imaging } = await opened(frameTime(37));
  await ask();
  await expect.element(page.getByRole('button', { name: 'Save the video' })).toBeEnabled();
  imaging.drawn.held = true;
  await begin();
  await said('0 of 24 images');
  await page.viewport(700, 700);
  imaging.drawn.held = false;
  imaging.drawn.view.show();
  await said('Nothing was saved: another image was opened, or the window has another size now.');
});

test('text in the pixels is said; a phone shows the dialog whole, in Spanish too', async () => {
  await opened({ ...frameTime(38), '00280301': { vr: 'CS', Value: ['YES'] } });
  await page.getByRole('button', { name: 'More', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Save a video' }).click();
  await said('The pixels of these images have text in them, which stays. It may name the patient.');
  expect(await violations()).toEqual([]);
  expect(scrollsSideways()).toBe(false);
  await shot('phone-video-save');
  await userEvent.keyboard('{Escape},');
  await page.getByRole('dialog').getByText('Español').click();
  await userEvent.keyboard('{Escape}');
  await ask();
  await expect
    .element(page.getByRole('dialog', { name: 'Guardar un vídeo' }))
    .toHaveTextContent('Puede nombrar al paciente.');
  await expect.element(page.getByRole('button', { name: 'Guardar el vídeo' })).toBeEnabled();
});
