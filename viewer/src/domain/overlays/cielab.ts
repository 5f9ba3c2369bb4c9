/** Colours as DICOM recommends them: CIELab under D50, as whole numbers (PS3.3 §C.10.7.1.1), on screens as sRGB. */

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** D50, which the connection space of ICC profiles has. */
const WHITE = [0.9642, 1, 0.8249] as const;
/** From XYZ under D50 to linear sRGB under D65, with Bradford's adaptation. */
const TO_SRGB = [
  [3.1338561, -1.6168667, -0.4906146],
  [-0.9787684, 1.9161415, 0.033454],
  [0.0719453, -0.2289914, 1.4052427],
] as const;

/** Returns a colour as it is on a screen. @param values 0 to 65535: L* from 0 to 100, a* and b* from −128 to 127 */
export function cielabColour([l = 0, a = 0, b = 0]: readonly number[]): Colour {
  const [lightness, red, yellow] = [(l / 65535) * 100, (a / 65535) * 255 - 128, (b / 65535) * 255 - 128];
  const y = (lightness + 16) / 116;
  const [x, , z] = [y + red / 500, y, y - yellow / 200];
  const xyz = [x, y, z].map(
    (part, index) => WHITE[index]! * (part > 6 / 29 ? part ** 3 : (part - 16 / 116) / 7.787),
  );
  const channel = ([of, by, and]: readonly [number, number, number]): number => {
    const linear = of * xyz[0]! + by * xyz[1]! + and * xyz[2]!;
    const shown = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(Math.max(shown, 0), 1));
  };
  return [channel(TO_SRGB[0]), channel(TO_SRGB[1]), channel(TO_SRGB[2])];
}

/** Colours that are told apart on grey, also with a weakness for red and green (Okabe and Ito). */
const COLOURS: readonly Colour[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
];

/** Returns the colour of a segment to which its author gave none. */
export function segmentColour(segment: number): Colour {
  return COLOURS[Math.abs(segment - 1) % COLOURS.length]!;
}
