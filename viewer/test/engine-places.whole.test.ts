/** Points of the glass and points of the image are the same place, however the image lies; and its values are those of the file. */
import { expect } from 'vitest';
import { testEach } from '../../gateway/test/setup/usual-run.ts';
import { seriesOf, type EnginePage, type Pixels } from './engine/engine-page.ts';
import { EngineSystem } from './engine/engine-system.ts';
import type { TestPage } from './engine/page.ts';

declare const window: { page: TestPage };

const system = new EngineSystem();
const SIZE = { width: 700, height: 500 };
const INDEX = 30;
type Attributes = Record<string, { vr?: string; Value?: unknown[] }>;

/** Changes the metadata of all images before the page reads them. */
function withMetadata(change: (instance: Attributes) => void) {
  return (page: EnginePage) =>
    page.context.route('**/metadata', async (route) => {
      const response = await route.fetch();
      const instances = (await response.json()) as Attributes[];
      for (const instance of instances) change(instance);
      return route.fulfill({ response, json: instances });
    });
}

const IMAGES: Record<string, (instance: Attributes) => void> = {
  'as it is': () => undefined,
  'of pixels that are higher than wide': (instance) => (instance['00280030']!.Value = [1.4, 0.7]),
  'of pixels that are wider than high': (instance) => (instance['00280030']!.Value = [0.5, 0.8]),
  'that is tilted': (instance) => (instance['00200037']!.Value = [0.8, 0.6, 0, 0, 0, -1]),
  'without a position or a spacing': (instance) => {
    for (const tag of ['00200032', '00200037', '00280030']) delete instance[tag];
  },
};

const CAMERAS = [
  { zoom: 1, pan: [0, 0], rotation: 0, flipped: false },
  { zoom: 8, pan: [430, -260], rotation: 90, flipped: false },
  { zoom: 8, pan: [-310, 150], rotation: 0, flipped: true },
  { zoom: 8, pan: [120, 90], rotation: 270, flipped: true },
] as const;

const places = (page: EnginePage, from: (readonly [number, number])[], to: 'toGlass' | 'toImage') =>
  page.page.evaluate(([from, to]) => from.map((point) => window.page[to](point) as [number, number]), [
    from,
    to,
  ] as const);

/** Returns how far the grey of the glass is from that of the image pixel there, over places on the glass. */
async function compare(page: EnginePage, grey: Uint8Array) {
  const glass = await page.glass();
  const ratio = glass.width / SIZE.width;
  // Middles of pixels of the screen.
  const onGlass = Array.from({ length: 4000 }, (_, at): [number, number] => [
    (((at * 7919) % glass.width) + 0.5) / ratio,
    (((at * 104_729) % glass.height) + 0.5) / ratio,
  ]);
  const onImage = await places(page, onGlass, 'toImage');
  const back = await places(page, onImage, 'toGlass');
  for (const [at, [x, y]] of back.entries()) {
    expect(Math.hypot(x - onGlass[at]![0], y - onGlass[at]![1])).toBeLessThan(1e-3);
  }
  const columns = Math.sqrt(grey.length);
  let [count, off, greatest] = [0, 0, 0];
  for (const [at, [column, row]] of onImage.entries()) {
    const [c, r] = [Math.round(column), Math.round(row)];
    // Between pixels the engine may mix their values.
    if (c < 0 || r < 0 || c >= columns || r >= columns || Math.hypot(column - c, row - r) > 0.12) continue;
    const difference = Math.abs(redAt(glass, onGlass[at]!, ratio) - grey[r * columns + c]!);
    count++;
    off += difference;
    greatest = Math.max(greatest, difference);
  }
  return { count, mean: off / count, greatest };
}

function redAt({ width, data }: Pixels, [x, y]: readonly [number, number], ratio: number): number {
  return data[3 * (Math.floor(y * ratio) * width + Math.floor(x * ratio))]!;
}

testEach(
  ['cpu', 'webgl'].flatMap((rendering) =>
    Object.keys(IMAGES).flatMap((image) => [1, 2].map((ratio) => [rendering, image, ratio] as const)),
  ),
  ([rendering, image, ratio]) =>
    rendering === 'cpu'
      ? image.includes(ratio === 2 ? 'higher' : 'without')
      : ratio === 2 && image.includes('wider'),
)(
  'a place on the glass is the place of the image that is drawn there: %s, an image %s, %s pixels of the screen',
  async (rendering, image, deviceScaleFactor) => {
    await using page = await system.open(system.ct, {
      index: INDEX,
      query: `?rendering=${rendering}`,
      size: SIZE,
      deviceScaleFactor,
      before: withMetadata(IMAGES[image]!),
    });
    await page.shows(INDEX);
    const grey = await system.grey(page, system.ct, { index: INDEX });
    let fit: readonly [number, number] | undefined;
    for (const camera of CAMERAS) {
      await page.page.evaluate((camera) => window.page.setCamera(camera), camera);
      // It is drawn with the next picture of the screen.
      await page.page.waitForFunction(
        (camera) => JSON.stringify(window.page.last()?.camera) === camera,
        JSON.stringify(camera),
      );
      // The middle of the image is as far from the middle of the glass as the camera says.
      const middle = (Math.sqrt(grey.length) - 1) / 2;
      const [centre, corner] = await places(
        page,
        [
          [middle, middle],
          [0, 0],
        ],
        'toGlass',
      );
      const [x, y] = centre!;
      expect(Math.abs(x - SIZE.width / 2 - camera.pan[0])).toBeLessThan(1);
      expect(Math.abs(y - SIZE.height / 2 - camera.pan[1])).toBeLessThan(1);
      // Its first pixel is where zoom, mirror and turn bring it, in this order: what is linked counts on it.
      const first = [corner![0] - x, corner![1] - y] as const;
      fit ??= first;
      const [right, down] = [fit[0] * camera.zoom * (camera.flipped ? -1 : 1), fit[1] * camera.zoom];
      const [cos, sin] = [0, 90].map((turn) => Math.cos(((camera.rotation - turn) * Math.PI) / 180));
      expect(first[0]).toBeCloseTo(right * cos! - down * sin!, 1);
      expect(first[1]).toBeCloseTo(right * sin! + down * cos!, 1);
      const { count, mean, greatest } = await compare(page, grey);
      expect(count).toBeGreaterThan(50);
      // A place that is half a pixel off, or another place, is off by more than 10 in the mean.
      expect({ camera, isSame: mean < 1 && greatest < 30, mean, greatest }).toMatchObject({ isSame: true });
    }
    expect(page.errors).toEqual([]);
  },
  60_000,
);

testEach(
  ['cpu', 'webgl'].flatMap((rendering) =>
    ['CT', 'MR', 'PT'].map((modality) => [rendering, modality] as const),
  ),
  ([, modality]) => modality === 'PT',
)(
  'values of the image on the glass are those of the file, rescaled: %s, %s',
  async (rendering, modality) => {
    const series = await seriesOf(system.gateway.url, modality);
    await using page = await system.open(series, { index: 0, query: `?rendering=${rendering}` });
    await page.shows(0);
    const name = await page.page.evaluate(() => window.page.instanceOf(0));
    const { study, series: uid } = series;
    const base = `${system.gateway.url}/open/dicomweb/studies/${study}/series/${uid}/instances/${name.instance}`;
    const [metadata] = (await (await fetch(`${base}/metadata`)).json()) as Attributes[];
    const number = (tag: string) => Number(metadata![tag]?.Value?.[0] ?? NaN);
    const answer = await fetch(`${base}/frames/1`, { headers: { accept: 'application/octet-stream' } });
    const bytes = await answer.arrayBuffer();
    const stored = number('00280103') === 1 ? new Int16Array(bytes) : new Uint16Array(bytes);
    const columns = number('00280011');
    const asked = Array.from({ length: 2000 }, (_, at): [number, number] => [
      (at * 7919) % columns,
      (at * 104_729) % number('00280010'),
    ]);
    const values = await page.page.evaluate((asked) => window.page.values(asked), asked);
    const [slope, intercept] = [number('00281053') || 1, number('00281052') || 0];
    const expected = asked.map(([column, row]) => stored[row * columns + column]! * slope + intercept);
    expect(new Set(expected).size).toBeGreaterThan(20);
    const off = Math.max(...expected.map((value, at) => Math.abs(value - values[at]!)));
    // Cornerstone keeps values of a broken slope with the precision of 32 bits.
    expect(off).toBeLessThanOrEqual(Math.max(...expected.map(Math.abs)) * 1e-6);
  },
  60_000,
);
