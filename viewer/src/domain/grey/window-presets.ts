/** Windows that are offered for an image. Values are those that are shown: Hounsfield units of a CT, Bq/ml of a PET. */
import { isColour } from './colour.ts';
import { number, text, type Instance } from '../instance.ts';
import { paddingOf } from './padding.ts';
import type { Pixels } from './pixels.ts';

/** PS3.3 §C.11.2.1.2 */
export interface PresetWindow {
  centre: number;
  width: number;
}

export interface WindowPreset {
  /**
   * `stored` is the first window of each image, `stored-2` another that it has, `full` shows all values of the image that
   * is on the glass. The others are in the table below.
   */
  id: string;
  /** Undefined for `stored` and `full`, which depend on the image. */
  window?: PresetWindow;
  /** Window Center & Width Explanation (0028,1055), in the words of the image; undefined if two windows have the same. */
  explanation?: string | undefined;
  /** Its number, from 1, among several that the image has. */
  nth?: { number: number; count: number };
}

/** Usual windows of CT: centre and width in Hounsfield units. */
const CT = {
  'ct-soft-tissue': { centre: 40, width: 400 },
  'ct-lung': { centre: -600, width: 1500 },
  'ct-bone': { centre: 400, width: 1800 },
  'ct-brain': { centre: 40, width: 80 },
  'ct-stroke': { centre: 40, width: 40 },
  'ct-liver': { centre: 60, width: 160 },
  'ct-angio': { centre: 300, width: 600 },
} as const satisfies Record<string, PresetWindow>;

/** PET: from nothing to so many SUV. */
const PET = { 'suv-5': 5, 'suv-7': 7, 'suv-10': 10, 'suv-15': 15 } as const satisfies Record<string, number>;

/**
 * Returns the windows for an image, those that it has itself first; none for an image in colours.
 * @param suvFactor SUV of one Bq/ml; without it a PET has no windows in SUV
 */
export function presetsOf(metadata: Instance, suvFactor?: number): readonly WindowPreset[] {
  if (isColour(metadata)) return [];
  return [...storedWindows(metadata), { id: 'full' }, ...usualWindows(metadata, suvFactor)];
}

/** An image may have several windows, each with an explanation. The first holds for each image by itself. */
function storedWindows(metadata: Instance): WindowPreset[] {
  const [centres, widths, explanations] = ['00281050', '00281051', '00281055'].map(
    (tag) => metadata[tag]?.Value ?? [],
  ) as [readonly unknown[], readonly unknown[], readonly unknown[]];
  const all = centres.map((centre, index) => ({
    window: { centre: Number(centre), width: Number(widths[index]) },
    explanation: String(explanations[index] ?? '').trim() || undefined,
  }));
  const [first, ...others] = all.filter(
    ({ window }, index) =>
      index === 0 ||
      (Number.isFinite(window.centre) &&
        window.width >= 1 &&
        all.findIndex((one) => sameWindow(one.window, window)) === index),
  );
  const stored: WindowPreset[] = [
    { id: 'stored', explanation: first?.explanation },
    ...others.map((one, index) => ({ id: `stored-${index + 2}`, ...one })),
  ];
  if (stored.length === 1) return stored;
  const words = stored.map(({ explanation }) => explanation);
  return stored.map((one, index) => ({
    ...one,
    explanation: words.filter((word) => word === words[index]).length === 1 ? words[index] : undefined,
    nth: { number: index + 1, count: stored.length },
  }));
}

function usualWindows(metadata: Instance, suvFactor: number | undefined): WindowPreset[] {
  const modality = text(metadata, '00080060');
  if (modality === 'CT' && isHounsfield(metadata))
    return Object.entries(CT).map(([id, window]) => ({ id, window }));
  if (modality === 'PT' && suvFactor !== undefined)
    return Object.entries(PET).map(([id, suv]) => ({ id, window: rangeWindow(0, suv / suvFactor) }));
  return [];
}

/** Returns true for a CT whose values are not known to be Hounsfield units: the usual windows of CT say nothing about it. */
export function lacksHounsfield(metadata: Instance): boolean {
  return text(metadata, '00080060') === 'CT' && !isColour(metadata) && !isHounsfield(metadata);
}

/** Rescale Type (0028,1054) may be missing where the values are Hounsfield units (PS3.3 §C.8.2.1). */
function isHounsfield(metadata: Instance): boolean {
  const type = text(metadata, '00281054');
  return number(metadata, '00281052') !== undefined && (type === undefined || type === 'HU');
}

/** Returns the window that shows values from `low` to `high`, by PS3.3 §C.11.2.1.2. */
function rangeWindow(low: number, high: number): PresetWindow {
  return { centre: (low + high + 1) / 2, width: high - low + 1 };
}

/** Returns the window that shows all values of an image; undefined if it has none but its padding. */
export function fullWindow(
  metadata: Instance,
  { values, slope, intercept }: Pick<Pixels, 'values' | 'slope' | 'intercept'>,
): PresetWindow | undefined {
  const isPadding = paddingOf(metadata);
  let [low, high] = [Infinity, -Infinity];
  for (let at = 0; at < values.length; at++) {
    const value = values[at]! * slope + intercept;
    if (isPadding(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? rangeWindow(low, high) : undefined;
}

export function sameWindow(a: PresetWindow, b: PresetWindow): boolean {
  return a.centre === b.centre && a.width === b.width;
}
