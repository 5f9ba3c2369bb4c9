/** Videos frame for frame: what the page says is on the glass is what the picture itself says (DW-28). */
import { beforeAll, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { ImageSource } from '../../src/data/source.ts';
import { Trouble } from '../../src/data/trouble.ts';
import { readTransportStream } from '../../src/domain/documents/transport-stream.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { openLargeVideo } from '../../src/features/documents/large-video.ts';
import type { StreamedVideo } from '../../src/features/documents/streamed-video.ts';
import { VideoPlayer } from '../../src/features/documents/video-player.svelte.ts';
import { features } from '../../src/features.ts';
import { transportStream } from '../setup/transport-stream.ts';
import { encodedVideo, numberOf } from './encoded-video.ts';
import { stackOf } from './fixtures.ts';
import { open, PHONE, scrollsSideways, shot, tabTo, violations } from './open.ts';

const SERIES = '1.2.10.4';
const COUNT = 50;
const VIDEO: Instance = {
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.77.1.1.1'] },
  '00080018': { vr: 'UI', Value: ['1.2.10.4.1'] },
  '00080060': { vr: 'CS', Value: ['ES'] },
  '0008103E': { vr: 'LO', Value: ['Colonoscopy'] },
  '00280008': { vr: 'IS', Value: [COUNT] },
  '00280010': { vr: 'US', Value: [96] },
  '00280011': { vr: 'US', Value: [128] },
  '7FE00010': { vr: 'OB', BulkDataURI: 'https://images.example.org/bulkdata/7FE00010' },
};

let stream: Uint8Array;
let mp4: Uint8Array;
beforeAll(async () => {
  // A clock that has run for a while, as that of a recorder.
  const units = (await encodedVideo(COUNT)).map((unit) => ({
    ...unit,
    shown: unit.shown + 900_000,
    decoded: unit.decoded + 900_000,
  }));
  stream = transportStream(units);
  mp4 = readTransportStream(stream, { columns: 128, rows: 96 }).mp4!;
});

async function openVideo(
  bytes: Uint8Array,
  { size, metadata = {} }: { size?: readonly [number, number]; metadata?: Instance } = {},
) {
  return open(`?tenant=demo&patient=helen&study=1.2.10&series=${SERIES}`, {
    features,
    ...(size && { size }),
    prepare: ({ imaging }) => {
      imaging.instances = [{ ...VIDEO, ...metadata }];
      imaging.stacks = (name) => (name.series === SERIES ? [] : [stackOf(name)]);
      Object.assign(imaging.images, { bulk: () => Promise.resolve(bytes) });
    },
  });
}

const bar = () => page.getByRole('group', { name: 'Film' });
const video = () => document.querySelector('video')!;
/** The number in the picture that is on the glass. */
function seen(): number {
  const canvas = Object.assign(document.createElement('canvas'), {
    width: video().videoWidth,
    height: video().videoHeight,
  });
  canvas.getContext('2d')!.drawImage(video(), 0, 0);
  return numberOf(canvas);
}
/** The number that the page says, from 0. */
const said = () => Number(/frame (\d+)\//.exec(bar().element().textContent)?.[1]) - 1;

test.each([
  ['MP4', () => mp4],
  ['a transport stream', () => stream],
])(
  '%s: 50 frames on and 50 back, each is the right one',
  async (_what, bytes) => {
    await openVideo(bytes());
    await expect.element(bar()).toHaveTextContent('frame 1/50 · 0.000 s');
    await expect.element(bar()).toHaveTextContent('25 images/s (true time)');
    for (let frame = 0; frame < COUNT; frame++) {
      await expect.poll(() => [said(), seen()], { interval: 5 }).toEqual([frame, frame]);
      await userEvent.keyboard('{ArrowDown}');
    }
    await userEvent.keyboard('{ArrowUp}');
    for (let frame = COUNT - 2; frame >= 0; frame -= 7) {
      await expect.poll(() => [said(), seen()], { interval: 5 }).toEqual([frame, frame]);
      await userEvent.keyboard('{ArrowUp}{ArrowUp}{ArrowUp}{ArrowUp}{ArrowUp}{ArrowUp}{ArrowUp}');
    }
  },
  60_000,
);

test('keys and slider: the last frame, ten back, and any other; also before the first frame is there', async () => {
  await openVideo(mp4);
  await expect.element(bar()).toBeVisible();
  await userEvent.keyboard('{End}');
  await expect.element(bar()).toHaveTextContent('frame 50/50 · 1.960 s');
  await userEvent.keyboard('{PageUp}');
  await expect.element(bar()).toHaveTextContent('frame 40/50');
  await bar().getByRole('slider', { name: 'Frame of the video' }).fill('23');
  await expect.poll(() => [said(), seen()]).toEqual([22, 22]);
  await bar().getByRole('button', { name: 'One frame back' }).click();
  await expect.poll(() => [said(), seen()]).toEqual([21, 21]);
  await shot('video');
  expect(await violations()).toEqual([]);
});

/** Returns the file with an edit list that leaves out the first pictures. */
function trimmed(file: Uint8Array, pictures: number): Uint8Array<ArrayBuffer> {
  const cut = Uint8Array.from(file);
  const view = new DataView(cut.buffer);
  const list = new TextDecoder('latin1').decode(cut).indexOf('elst');
  // Version, count; then how long it is, in milliseconds, and where it begins.
  view.setUint32(list + 12, view.getUint32(list + 12) - 40 * pictures);
  view.setUint32(list + 16, view.getUint32(list + 16) + 3600 * pictures);
  return cut;
}

test.each([10, 13])('of a video that is trimmed by %i pictures, the others are shown', async (pictures) => {
  await openVideo(trimmed(mp4, pictures));
  await expect.element(bar()).toHaveTextContent(`frame 1/${COUNT - pictures} · 0.000 s`);
  for (const frame of [0, 1, 2, COUNT - pictures - 1]) {
    await bar()
      .getByRole('slider', { name: 'Frame of the video' })
      .fill(String(frame + 1));
    await expect.poll(() => [said(), seen()]).toEqual([frame, frame + pictures]);
  }
});

const rangeOf = (headers: Record<string, string>) =>
  /(\d+)-(\d+)$/.exec(headers['range']!)!.slice(1).map(Number) as [from: number, last: number];

test.each<[string, () => Uint8Array, boolean]>([
  ['whole', () => mp4, true],
  [
    'trimmed: its browser would drop the beginning, with all that is made of it',
    () => trimmed(mp4, 13),
    false,
  ],
])('pieces of a large video that is %s', async (_what, file, comes) => {
  const bytes = file();
  const bulk: ImageSource['bulk'] = (_url, _signal, options) => {
    const [from, last] = rangeOf(options!.headers);
    options!.heard?.(new Headers({ 'content-range': `bytes ${from}-${last}/${bytes.length}` }));
    return Promise.resolve(bytes.subarray(from, last + 1));
  };
  const large = { url: 'https://images.example.org/large', first: bytes.subarray(0, 20), size: bytes.length };
  const reading = { signal: new AbortController().signal, onTrouble: () => undefined };
  const opened = await openLargeVideo(VIDEO, { file: large, images: { bulk } }, reading, 1);
  expect(opened !== undefined).toBe(comes);
  if (opened) (opened.played as StreamedVideo).close();
});

test('k plays it in its speed, again and again, and stops it; what is said is on the glass', async () => {
  await openVideo(mp4);
  await expect.element(bar()).toHaveTextContent('frame 1/50');
  await userEvent.keyboard('[[[[');
  await expect.element(page.getByText('12.5 images/s (0.5 × true time)')).toBeVisible();
  expect(video().playbackRate).toBe(0.5);
  await userEvent.keyboard('k');
  await expect.poll(said).toBeGreaterThan(5);
  await userEvent.keyboard('k');
  await expect.element(bar().getByRole('button', { name: 'Play' })).toBeVisible();
  await expect.poll(() => said() - seen()).toBe(0);
  await page.getByRole('button', { name: 'Again and again' }).click();
  expect(video().loop).toBe(true);
});

test('by keyboard alone: it plays, stops, steps, and is slower', async () => {
  await openVideo(mp4);
  await expect.element(bar()).toHaveTextContent('frame 1/50');
  await tabTo('Play');
  await userEvent.keyboard(' ');
  await expect.poll(said).toBeGreaterThan(3);
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => video().paused).toBe(true);
  const { activeElement } = document;
  expect(activeElement?.ariaLabel).toBe('Play');
  const stopped = said();
  await tabTo('One frame on');
  await userEvent.keyboard('{Enter}{Enter}');
  await expect.poll(() => [said(), seen()]).toEqual([stopped + 2, stopped + 2]);
  await tabTo('Frame of the video');
  await userEvent.keyboard('{Home}{ArrowRight}');
  await expect.poll(() => [said(), seen()]).toEqual([1, 1]);
  await tabTo(/^(Speed|Images a second)/);
  await userEvent.keyboard('{ArrowLeft}');
  expect(video().playbackRate).toBeLessThan(1);
});

test('a frame that comes while the page is busy is said too', async () => {
  await openVideo(mp4);
  await expect.poll(() => said()).toBe(0);
  const key = { key: 'ArrowDown', bubbles: true };
  const next = () => document.body.dispatchEvent(new KeyboardEvent('keydown', key));
  for (let frame = 2; frame < COUNT; frame += 2) {
    const sought = new Promise((resolve) => video().addEventListener('seeked', resolve, { once: true }));
    next();
    await sought;
    next();
    for (let pause = 0; pause < 5; pause++) {
      for (const until = performance.now() + 30; performance.now() < until;);
      await new Promise((resolve) => setTimeout(resolve));
    }
    await expect.poll(() => [said(), seen()]).toEqual([frame, frame]);
  }
}, 60_000);

test('the frame on the glass is kept as a PNG of its own size', async () => {
  await openVideo(mp4);
  await expect.element(bar()).toHaveTextContent('frame 1/50');
  await userEvent.keyboard('{PageDown}');
  await expect.element(bar()).toHaveTextContent('frame 11/50');
  const kept: { name: string; url: string }[] = [];
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    kept.push({ name: this.download, url: this.href });
  });
  const made = vi.spyOn(URL, 'createObjectURL');
  await userEvent.keyboard('d');
  await page.getByRole('button', { name: 'Save the PNG' }).click();
  await expect.poll(() => kept.map(({ name }) => name)).toEqual(['ES-image-11.png']);
  const blob = made.mock.lastCall![0] as Blob;
  const image = await createImageBitmap(blob);
  const canvas = Object.assign(document.createElement('canvas'), {
    width: image.width,
    height: image.height,
  });
  canvas.getContext('2d')!.drawImage(image, 0, 0);
  expect([image.width, image.height, numberOf(canvas)]).toEqual([128, 96, 10]);
  vi.restoreAllMocks();
});

test('a cut video is played as far as it is there, and says so', async () => {
  await openVideo(mp4.subarray(0, Math.round(mp4.length * 0.6)));
  await expect
    .element(page.getByText(/^\d+ of 50 frames are in this file; the others are missing\.$/))
    .toBeVisible();
  await userEvent.keyboard('{End}');
  await expect.poll(said).toBeGreaterThan(10);
  await expect.poll(() => said() - seen()).toBe(0);
  await shot('video-cut');
});

test.each<[string, () => Uint8Array, string]>([
  ['without its tables', () => mp4.subarray(0, 60), 'The end of this file is missing'],
  [
    'of H.265',
    () => transportStream([], [0x24]),
    'This video is H.265 (HEVC), which this browser does not play.',
  ],
  ['of MPEG-2', () => transportStream([], [0x02]), 'This video is MPEG-2, which this browser does not play.'],
  [
    'that nobody knows',
    () => Uint8Array.from({ length: 5000 }, (_, at) => at % 251),
    'This browser cannot play this video.',
  ],
])('a video %s has its sentence, and is kept as a file', async (_what, bytes, sentence) => {
  await openVideo(bytes());
  await expect.element(page.getByText(sentence)).toBeVisible();
  await expect.element(page.getByRole('link', { name: 'Download' })).toBeVisible();
  expect(document.querySelector('video')).toBeNull();
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
});

test('a phone has the video and its bar without a scroll to the side', async () => {
  await openVideo(stream, { size: PHONE });
  await expect.element(bar()).toHaveTextContent('frame 1/50');
  await shot('phone-video');
  expect(scrollsSideways()).toBe(false);
  expect(await violations()).toEqual([]);
});

test('a large video comes in pieces: a seek asks for the bytes at its place, and for no others', async () => {
  // A second for each picture, so that the next pieces are not wanted yet.
  const usual = await encodedVideo(COUNT);
  const slow = usual.map((one) => ({ ...one, shown: one.shown * 25, decoded: one.decoded * 25 }));
  const file = readTransportStream(transportStream(slow), { columns: 128, rows: 96 }).mp4!;
  const asked: [number, number][] = [];
  let works = true;
  const bulk: ImageSource['bulk'] = (_url, _signal, options) => {
    const [from, last] = rangeOf(options!.headers);
    asked.push([from, last + 1]);
    options!.heard?.(new Headers({ 'content-range': `bytes ${from}-${last}/${file.length}` }));
    return works
      ? Promise.resolve(file.subarray(from, last + 1))
      : Promise.reject(new Trouble('server', '500', { status: 500 }));
  };
  const troubles: unknown[] = [];
  const reading = {
    signal: new AbortController().signal,
    onTrouble: (error: unknown) => troubles.push(error),
  };
  const large = { url: 'https://images.example.org/large', first: file.subarray(0, 20), size: file.length };
  const opened = (await openLargeVideo(VIDEO, { file: large, images: { bulk } }, reading, 1))!;
  const pieces = opened.played as StreamedVideo;
  const player = new VideoPlayer(VIDEO, opened.film, pieces);
  const element = document.body.appendChild(
    Object.assign(document.createElement('video'), { src: pieces.url, muted: true }),
  );
  const close = player.attach(element);
  const at = async (frame: number) => {
    player.want(frame);
    await expect.poll(() => [player.frame, numberOf(player.picture()!)]).toEqual([frame, frame]);
  };
  await expect.poll(() => player.frame).toBe(0);
  asked.length = 0;
  await at(47);
  // The last of five pieces, once.
  expect(asked).toHaveLength(1);
  const [from, to] = asked[0]!;
  expect(to - from).toBeLessThan(file.length / 4);
  await at(40);
  expect(asked).toHaveLength(1);
  works = false;
  player.want(25);
  await expect.poll(() => troubles).toHaveLength(1);
  expect(player.frame).toBe(40);
  works = true;
  player.again();
  await expect.poll(() => [player.frame, numberOf(player.picture()!)]).toEqual([25, 25]);
  for (let frame = 26; frame < COUNT; frame++) await at(frame);
  close();
  pieces.close();
  element.remove();
});
