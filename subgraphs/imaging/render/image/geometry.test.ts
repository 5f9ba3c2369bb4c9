import { expect, test } from 'vitest';
import { burnOverlays } from './overlay.ts';
import { cropped, pixelAspect, regionWithin, shownSize } from './geometry.ts';
import type { Picture } from './picture.ts';

const picture = (): Picture => ({ width: 3, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) });

test.each<[region: [number, number, number, number], data: number[]]>([
  [
    [0, 0, 0, 0],
    [1, 2, 3, 4, 5, 6],
  ],
  [
    [1, 0, 2, 1],
    [2, 3],
  ],
  [
    [1, 1, 0, 0],
    [5, 6],
  ],
  [
    [0, 0, -3, 2],
    [3, 2, 1, 6, 5, 4],
  ],
  [
    [0, 0, 3, -2],
    [4, 5, 6, 1, 2, 3],
  ],
  [
    [1, 0, -2, -2],
    [6, 5, 3, 2],
  ],
])('DW-8 the region %j of a picture of 3 × 2', ([x, y, width, height], data) => {
  const region = regionWithin({ x, y, width, height }, picture());
  expect([...cropped(picture(), region).data]).toEqual(data);
});

test.each([[[3, 0, 0, 0]], [[0, 0, 4, 2]], [[2, 0, -2, 2]], [[0, 2, 1, 0]]])(
  'DW-8 refuses the region %j, which is not within it',
  ([x, y, width, height]) => {
    const region = { x: x!, y: y!, width: width!, height: height! };
    expect(() => regionWithin(region, picture())).toThrow('within the image of 3 × 2 pixels');
  },
);

const spacing = (tag: string, ...Value: unknown[]) => ({ [tag]: { vr: 'DS', Value } });

test.each([
  [spacing('00280030', 0.5, 0.25), 2],
  [spacing('00181164', 0.1, 0.2), 0.5],
  [spacing('00280034', 4, 3), 4 / 3],
  [{ ...spacing('00280034', 4, 3), ...spacing('00280030', 1, 1) }, 1],
  [spacing('00280030', 0, 1), 1],
  [{}, 1],
])('DW-8 the aspect of pixels by %j', (attributes, aspect) => {
  expect(pixelAspect(attributes)).toBe(aspect);
});

test.each([
  [{ width: 256, height: 120 }, 4 / 3, undefined, [256, 160]],
  [{ width: 274, height: 384 }, 0.5, undefined, [548, 384]],
  [{ width: 512, height: 512 }, 1, { width: 128, height: 128 }, [128, 128]],
  [{ width: 400, height: 200 }, 1, { width: 100, height: 100 }, [100, 50]],
  [{ width: 10, height: 10 }, 2, { width: 100, height: 100 }, [50, 100]],
  [{ width: 10000, height: 1 }, 1, { width: 100, height: 100 }, [100, 1]],
])('DW-8 %j with pixels of %d in a viewport of %j', (size, aspect, viewport, [width, height]) => {
  expect(shownSize(size, aspect, viewport)).toEqual({ width, height });
});

test('DW-8 burns in overlays at their position, clipped, and by frame', () => {
  // Two planes of 2 × 2, of which the first is a diagonal and the second full.
  const overlay = {
    '60000010': { vr: 'US', Value: [2] },
    '60000011': { vr: 'US', Value: [2] },
    '60000015': { vr: 'IS', Value: [2] },
    '60000050': { vr: 'SS', Value: [2, 1] },
    '60003000': { vr: 'OW', InlineBinary: Buffer.of(0b11111001, 0).toString('base64') },
  };
  const burnt = (frame: number) => {
    const shown = picture();
    burnOverlays(shown, overlay, frame);
    return [...shown.data];
  };
  expect(burnt(1)).toEqual([1, 2, 3, 255, 5, 6]);
  expect(burnt(2)).toEqual([1, 2, 3, 255, 255, 6]);
  expect(burnt(3)).toEqual([1, 2, 3, 4, 5, 6]);
});
