import type { DecodedFrame } from '../../pixels/codecs/decoded-frame.ts';

/** Luminance and chrominance → red, green, blue; eight bits. */
type Conversion = (y: number, cb: number, cr: number) => readonly [number, number, number];

/** CCIR 601 with the full range of eight bits, PS3.3 §C.7.6.3.1.2. */
const full: Conversion = (y, cb, cr) => [
  y + 1.402 * (cr - 128),
  y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
  y + 1.772 * (cb - 128),
];

/** The same with luminance from 16 to 235 and chrominance from 16 to 240. */
const partial: Conversion = (y, cb, cr) => full((y - 16) * (255 / 219), spread(cb), spread(cr));
const spread = (chroma: number): number => (chroma - 128) * (255 / 224) + 128;

/** Decoders of JPEG 2000 undo its own transformations (YBR_ICT, YBR_RCT): their output is RGB already. */
const CONVERSIONS: Record<string, Conversion> = {
  YBR_FULL: full,
  YBR_FULL_422: full,
  YBR_PARTIAL: partial,
  YBR_PARTIAL_422: partial,
  YBR_PARTIAL_420: partial,
};

/** Converts every pixel to red, green and blue of eight bits. */
export function rgb(frame: DecodedFrame): Uint8Array {
  const { samples, samplesPerPixel, bitsStored, photometricInterpretation } = frame;
  const convert = CONVERSIONS[photometricInterpretation];
  const eight = bitsStored === 8 && samples instanceof Uint8Array;
  if (!convert && eight && samplesPerPixel === 3) return samples;
  const pixels = Math.floor(samples.length / samplesPerPixel);
  const scale = 255 / (2 ** bitsStored - 1);
  const data = new Uint8ClampedArray(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const at = i * samplesPerPixel;
    const [a, b, c] = [samples[at]! * scale, samples[at + 1]! * scale, samples[at + 2]! * scale];
    data.set(convert ? convert(a, b, c) : [a, b, c], i * 3);
  }
  return new Uint8Array(data.buffer);
}
