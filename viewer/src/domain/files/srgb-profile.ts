/** The colour profile of sRGB (IEC 61966-2-1), in version 2 of the format of the ICC (ICC.1:2001-04), as a display has it. */

/** Primaries and white of sRGB as the profile's space sees them: XYZ, for the light D50. */
const WHITE = [0.9642, 1, 0.8249];
const PRIMARIES = {
  rXYZ: [0.4361, 0.2225, 0.0139],
  gXYZ: [0.3851, 0.7169, 0.0971],
  bXYZ: [0.1431, 0.0606, 0.7141],
};
/** Numbers in the table of brightness. */
const STEPS = 256;
const HEADER = 128;

/** Returns the bytes of the profile. */
export function srgbProfile(): Uint8Array<ArrayBuffer> {
  const curve = block('curv', [0, 0, 0, 0, ...wide(STEPS), ...steps().flatMap(narrow)]);
  const tags: [name: string, bytes: number[]][] = [
    [
      'desc',
      block('desc', [0, 0, 0, 0, ...wide(5), ...ascii('sRGB\0'), ...Array.from({ length: 78 }, () => 0)]),
    ],
    ['cprt', block('text', [0, 0, 0, 0, ...ascii('No copyright\0')])],
    ['wtpt', place(WHITE)],
    ...Object.entries(PRIMARIES).map(([name, xyz]): [string, number[]] => [name, place(xyz)]),
    ...['rTRC', 'gTRC', 'bTRC'].map((name): [string, number[]] => [name, curve]),
  ];
  const table = [...wide(tags.length)];
  const data: number[] = [];
  const known = new Map<number[], number>();
  for (const [name, bytes] of tags) {
    // The three colours have one curve.
    if (!known.has(bytes)) {
      known.set(bytes, HEADER + 4 + 12 * tags.length + data.length);
      data.push(...bytes, ...Array.from({ length: -bytes.length & 3 }, () => 0));
    }
    table.push(...ascii(name), ...wide(known.get(bytes)!), ...wide(bytes.length));
  }
  const size = HEADER + table.length + data.length;
  return Uint8Array.from([...header(size), ...table, ...data]);
}

function header(size: number): number[] {
  const bytes = new Array<number>(HEADER).fill(0);
  const put = (at: number, values: readonly number[]) => bytes.splice(at, values.length, ...values);
  put(0, wide(size));
  put(8, wide(0x02100000));
  put(12, ascii('mntrRGB XYZ '));
  put(24, [2026, 1, 1, 0, 0, 0].flatMap(narrow));
  put(36, ascii('acsp'));
  put(68, WHITE.flatMap(fixed));
  return bytes;
}

const ascii = (text: string): number[] => [...text].map((one) => one.charCodeAt(0));
const wide = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
const narrow = (value: number): number[] => [value >> 8, value & 255];
/** A number with 16 bits after the point. */
const fixed = (value: number): number[] => wide(Math.round(value * 65536));
const block = (type: string, bytes: readonly number[]): number[] => [...ascii(type), ...bytes];
const place = (xyz: readonly number[]): number[] => block('XYZ ', [0, 0, 0, 0, ...xyz.flatMap(fixed)]);

/** Returns the light of each step, 0 to 65535. */
function steps(): number[] {
  return Array.from({ length: STEPS }, (_, at) => {
    const value = at / (STEPS - 1);
    const light = value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return Math.round(65535 * light);
  });
}
