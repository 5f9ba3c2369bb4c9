/** Presentation states, as metadata, and images for them. */
import type { Instance } from '../../src/domain/instance.ts';
import type { Content, Look } from '../../src/domain/overlays/overlay.ts';
import { presentationState } from '../../src/domain/overlays/presentation-state.ts';
import type { Target } from '../../src/domain/overlays/target.ts';
import { items, of } from './overlay-objects.ts';

export const image = (uid: string, ...frames: number[]): Instance => ({
  '00081155': of('UI', uid),
  ...(frames.length > 0 && { '00081160': of('IS', ...frames) }),
});
export const images = (...all: Instance[]) => ({ '00081140': items(...all) });

/** An image of 40 columns and 20 rows. */
const METADATA: Instance = {
  '00280004': of('CS', 'MONOCHROME2'),
  '00280010': of('US', 20),
  '00280011': of('US', 40),
  '00280101': of('US', 12),
  '00281052': of('DS', -1024),
  '00281053': of('DS', 1),
};
export const target = (instance = '1.1', frame = 1, metadata: Instance = {}): Target => ({
  id: `s/s/${instance}/${frame}`,
  instance,
  frame,
  rectangle: undefined,
  halfSlice: 1,
  metadata: { ...METADATA, ...metadata },
});
export const state = (more: Instance = {}): Instance => ({
  '00081115': items(images(image('1.1'), image('1.2')), images(image('2.1', 2, 3))),
  '00281052': of('DS', -1024),
  '00281053': of('DS', 1),
  '20500020': of('CS', 'IDENTITY'),
  ...more,
});
export const voi = (centre: number, width: number, more: Instance = {}): Instance => ({
  '00281050': of('DS', centre),
  '00281051': of('DS', width),
  ...more,
});
export const windows = (...all: Instance[]) => ({ '00283110': items(...all) });
export const area = (corner: readonly number[], other: readonly number[], more: Instance = {}): Instance => ({
  '00700052': of('SL', ...corner),
  '00700053': of('SL', ...other),
  '00700100': of('CS', 'SCALE TO FIT'),
  ...more,
});
export const turned = (rotation: number, flip = 'N'): Instance => ({
  '00700042': of('US', rotation),
  '00700041': of('CS', flip),
});

export function contentOf(one: Instance): Content {
  const reading = presentationState.read(one, () => Promise.reject(new Error('no pixels')));
  if (reading instanceof Promise || 'refused' in reading) throw new Error('not read');
  return reading.content;
}
export const lookOf = (one: Instance, on = target()): Look => contentOf(one).lookOn!(on)!;
