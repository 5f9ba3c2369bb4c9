/** Colours of a PET that lies over another image. */

type Colour = readonly [red: number, green: number, blue: number];

/** The palette Hot Iron, PS3.6 §B.1.1. */
const ENTRIES = Array.from({ length: 256 }, (_, entry): Colour => {
  const ramp = (from: number, slope: number) => Math.min(Math.max((entry - from) * slope, 0), 255);
  // The last entry is white; the ramp of green ends one below.
  return [ramp(0, 2), entry === 255 ? 255 : ramp(128, 2), ramp(191, 4)];
});

/** Up to this part of the window a PET is the clearer, the lower its values are: places without uptake stay as they are. */
const CLEAR_PART = 0.1;

/** Returns the colour of a part of a window, from 0 to 1. */
export function hotIron(part: number): Colour {
  return ENTRIES[Math.round(Math.min(Math.max(part, 0), 1) * 255)]!;
}

/**
 * Returns a picture of values, from 0 to `most`, to be laid over another image: red, green, blue and opacity of each.
 * @param values NaN where there are none
 */
export function overlayPixels(values: Float32Array, most: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * values.length);
  for (const [at, value] of values.entries()) {
    const part = value / most;
    // Also where there is no value.
    if (!(part > 0)) continue;
    pixels.set(hotIron(part), 4 * at);
    pixels[4 * at + 3] = 255 * Math.min(part / CLEAR_PART, 1);
  }
  return pixels;
}
