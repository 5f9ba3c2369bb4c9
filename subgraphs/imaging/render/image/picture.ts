import { number, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { DecodedFrame, Samples } from '../../pixels/codecs/decoded-frame.ts';
import { rgb } from './colour.ts';
import { lookUp, palette, type Palette } from './lut.ts';
import { modality, ownWindow, voiLut, windowed, type Transform, type Window } from './window.ts';

/** A picture of eight bits a channel: grey, or red, green and blue by pixel. */
export interface Picture {
  width: number;
  height: number;
  channels: 1 | 3;
  data: Uint8Array;
}

/** Lowest and highest stored value to be shown. */
export type Range = readonly [low: number, high: number];

export interface PictureOptions {
  /** Instead of the object's own window. */
  window?: Window | undefined;
  /** Range of stored values, if several frames must look alike; otherwise that of the frame. */
  range?: Range | undefined;
}

/**
 * Makes a picture of a frame: the grey scale and colour transformations of PS3.4 §N.2 and PS3.3 §C.7.6.3.1.2. Padding
 * pixels are black, whatever the polarity (PS3.3 §C.7.5.1.1.2).
 * @param attributes of the frame from `frameAttributes`, with inline tables
 */
export function toPicture(frame: DecodedFrame, attributes: DicomJson, options: PictureOptions = {}): Picture {
  const { columns: width, rows: height, samplesPerPixel, photometricInterpretation } = frame;
  if (samplesPerPixel >= 3) return { width, height, channels: 3, data: rgb(frame) };
  const colours = palette(attributes);
  if (colours && photometricInterpretation === 'PALETTE COLOR')
    return { width, height, channels: 3, data: coloured(frame.samples, colours) };
  const grey = shades(frame, attributes, options);
  if (colours && isSupplemental(attributes))
    return { width, height, channels: 3, data: supplemented(frame.samples, grey, colours) };
  return { width, height, channels: 1, data: grey };
}

/** Returns whether the palette colours only the upper stored values, PS3.3 §C.7.6.19. */
function isSupplemental(attributes: DicomJson): boolean {
  return text(attributes, '00089205') === 'COLOR' || text(attributes, '00089205') === 'MIXED';
}

function coloured(samples: Samples, colours: Palette): Uint8Array {
  const data = new Uint8Array(samples.length * 3);
  for (let i = 0; i < samples.length; i++) paint(data, i, samples[i]!, colours);
  return data;
}

function supplemented(samples: Samples, grey: Uint8Array, colours: Palette): Uint8Array {
  const data = new Uint8Array(samples.length * 3);
  for (let i = 0; i < samples.length; i++) {
    if (samples[i]! >= colours[0].first) paint(data, i, samples[i]!, colours);
    else data.fill(grey[i]!, 3 * i, 3 * i + 3);
  }
  return data;
}

function paint(data: Uint8Array, pixel: number, value: number, [red, green, blue]: Palette): void {
  data[3 * pixel] = lookUp(red, value);
  data[3 * pixel + 1] = lookUp(green, value);
  data[3 * pixel + 2] = lookUp(blue, value);
}

function shades(frame: DecodedFrame, attributes: DicomJson, { window, range }: PictureOptions): Uint8Array {
  const { samples, signed } = frame;
  const meaning = modality(attributes, signed);
  const shade = voi(frame, attributes, meaning, { window, range });
  const inverse =
    frame.photometricInterpretation === 'MONOCHROME1' || text(attributes, '20500020') === 'INVERSE';
  const padding = paddingOf(attributes, frame);
  const tone: Transform = (stored) => {
    if (padding && stored >= padding[0] && stored <= padding[1]) return 0;
    const grey = shade(meaning ? meaning(stored) : stored);
    return Math.round(inverse ? 255 - grey : grey);
  };
  const data = new Uint8Array(samples.length);
  const [low, high] = extremes(samples);
  if (isFloating(samples) || high - low >= samples.length) {
    for (let i = 0; i < samples.length; i++) data[i] = tone(samples[i]!);
    return data;
  }
  // Many pixels, few values: the shade of each value is computed once.
  const table = Uint8Array.from({ length: high - low + 1 }, (_, i) => tone(low + i));
  for (let i = 0; i < samples.length; i++) data[i] = table[samples[i]! - low]!;
  return data;
}

/**
 * Returns the shades of the requested window, or of the object's own window, or of its VOI LUT, or of the full range.
 */
function voi(
  frame: DecodedFrame,
  attributes: DicomJson,
  meaning: Transform | undefined,
  { window: asked, range }: Pick<PictureOptions, 'window' | 'range'>,
): Transform {
  const window = asked ?? ownWindow(attributes);
  if (window) return windowed(window);
  const signedValues = frame.signed || (meaning !== undefined && (number(attributes, '00281052') ?? 0) < 0);
  const table = voiLut(attributes, signedValues);
  if (table) return table;
  const ends = isAsIs(frame, meaning)
    ? [0, 2 ** frame.bitsStored - 1]
    : (range ?? storedRange(frame, attributes)).map((value) => (meaning ? meaning(value) : value));
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const span = high - low || 1;
  return (x) => Math.min(255, Math.max(0, ((x - low) / span) * 255));
}

/**
 * Returns whether shades are shown unchanged: those of eight bits or less, such as captured screens, ultrasound,
 * segments.
 */
function isAsIs({ bitsStored, signed, samples }: DecodedFrame, meaning: Transform | undefined): boolean {
  return bitsStored <= 8 && !signed && !meaning && !isFloating(samples);
}

/** Returns the lowest and highest stored value of a frame, without padding. */
export function storedRange(frame: DecodedFrame, attributes: DicomJson): Range {
  const padding = paddingOf(attributes, frame);
  const [low, high] = extremes(frame.samples, padding);
  return low <= high ? [low, high] : [0, 0];
}

function extremes(samples: Samples, [from, to]: Range = [NaN, NaN]): Range {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i]!;
    if ((value >= from && value <= to) || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Returns pixel padding as a range of stored values, PS3.3 §C.7.5.1.1.2; §C.7.6.24 for floating ones. */
function paddingOf(attributes: DicomJson, { samples, signed }: DecodedFrame): Range | undefined {
  const [one, other] = isFloating(samples)
    ? samples instanceof Float32Array
      ? ['00280122', '00280124']
      : ['00280123', '00280125']
    : ['00280120', '00280121'];
  const stored = (tag: string) => {
    const value = number(attributes, tag);
    return value !== undefined && signed && value >= 0x8000 ? value - 0x1_0000 : value;
  };
  const first = stored(one!);
  if (first === undefined) return undefined;
  const last = stored(other!) ?? first;
  return [Math.min(first, last), Math.max(first, last)];
}

function isFloating(samples: Samples): boolean {
  return samples instanceof Float32Array || samples instanceof Float64Array;
}
