/** Writes a video of H.264 as a file of MP4 (ISO/IEC 14496-12, 14496-15), which browsers play. */

/** A coded picture with all that belongs to it. Times are in parts of a second, `TIMESCALE` of them in one. */
export interface Picture {
  /** Its NAL units, without start codes. */
  units: readonly Uint8Array[];
  decoded: number;
  shown: number;
  /** True if it can be decoded without those before it. */
  isKey: boolean;
}

interface H264 {
  /** In the order in which they are decoded. */
  pictures: readonly Picture[];
  /** Sequence and picture parameter sets. */
  sps: Uint8Array;
  pps: Uint8Array;
  columns: number;
  rows: number;
}

/** That of transport streams (ISO/IEC 13818-1). */
export const TIMESCALE = 90_000;
/** Milliseconds a second, for the head of the file. */
const MOVIE_TIMESCALE = 1000;

/** Returns the file: its tables first, then the pictures in one piece. */
export function writeMp4(video: H264): Uint8Array<ArrayBuffer> {
  const samples = video.pictures.map(({ units }) =>
    concat(units.flatMap((unit) => [uint32(unit.length), unit])),
  );
  const head = box('ftyp', ascii('isom'), uint32(0x200), ascii('isomavc1'));
  const tables = (offset: number) => movie(video, samples, offset);
  const offset = head.length + tables(0).length + 8;
  return concat([head, tables(offset), box('mdat', samples)]);
}

function movie({ pictures, ...video }: H264, samples: readonly Uint8Array[], offset: number): Uint8Array {
  const first = Math.min(...pictures.slice(0, MOST_REORDERED).map(({ shown }) => shown));
  const durations = durationsOf(pictures);
  const duration = durations.reduce((sum, one) => sum + one, 0);
  const inMovie = Math.round((duration / TIMESCALE) * MOVIE_TIMESCALE);
  const delays = pictures.map(({ decoded, shown }) => shown - decoded);
  const keys = pictures.flatMap(({ isKey }, at) => (isKey ? [at + 1] : []));
  const tables = box(
    'stbl',
    box('stsd', uint32(0, 1), sampleEntry(video)),
    box('stts', uint32(0, runs(durations))),
    // Version 1: delays may be negative.
    box('ctts', uint32(1 << 24, runs(delays))),
    box('stss', uint32(0, keys.length, keys)),
    box('stsc', uint32(0, 1, 1, samples.length, 1)),
    box(
      'stsz',
      uint32(
        0,
        0,
        samples.length,
        samples.map(({ length }) => length),
      ),
    ),
    box('stco', uint32(0, 1, offset)),
  );
  // The presentation begins with the first picture, at 0.
  const edits = box('edts', box('elst', uint32(0, 1, inMovie, first - pictures[0]!.decoded, 0x10000)));
  const track = box('trak', trackHeader(inMovie, video), edits, mediaOf(TIMESCALE, duration, tables));
  return box('moov', movieHeader(inMovie), track);
}

/** @param duration in `MOVIE_TIMESCALE` */
export function movieHeader(duration: number): Uint8Array {
  const volume = uint16(0x100, 0);
  return box(
    'mvhd',
    uint32(0, 0, 0, MOVIE_TIMESCALE, duration, 0x10000),
    volume,
    uint32(0, 0, UNITY, 0, 0, 0, 0, 0, 0, 2),
  );
}

export function trackHeader(duration: number, { columns, rows }: Pick<H264, 'columns' | 'rows'>): Uint8Array {
  return box('tkhd', uint32(3, 0, 0, 1, 0, duration, 0, 0, 0, 0, UNITY, columns << 16, rows << 16));
}

export function mediaOf(timescale: number, duration: number, tables: Uint8Array): Uint8Array {
  return box(
    'mdia',
    box('mdhd', uint32(0, 0, 0, timescale, duration), uint16(UNDETERMINED, 0)),
    box('hdlr', uint32(0, 0), ascii('vide'), uint32(0, 0, 0), Uint8Array.of(0)),
    box(
      'minf',
      box('vmhd', uint32(1, 0, 0)),
      box('dinf', box('dref', uint32(0, 1), box('url ', uint32(1)))),
      tables,
    ),
  );
}

/** Pictures that are shown before one that is decoded before them are never further away. */
const MOST_REORDERED = 16;
/** The matrix that changes nothing. */
const UNITY = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000];
/** `und`, three letters of five bits. */
const UNDETERMINED = 0x55c4;

/** From picture to picture as they are decoded; the last one is as long as the one before. */
function durationsOf(pictures: readonly Picture[]): number[] {
  const steps = pictures.slice(1).map(({ decoded }, at) => Math.max(decoded - pictures[at]!.decoded, 1));
  return [...steps, steps.at(-1) ?? TIMESCALE / 25];
}

function sampleEntry({ sps, pps, columns, rows }: Omit<H264, 'pictures'>): Uint8Array {
  const configuration = box(
    'avcC',
    // Profile and level stand at the beginning of the set; lengths have four bytes.
    Uint8Array.of(1, ...sps.subarray(1, 4), 0xff, 0xe1),
    uint16(sps.length),
    sps,
    Uint8Array.of(1),
    uint16(pps.length),
    pps,
  );
  const described = [uint32(0), uint16(0, 1), uint32(0, 0, 0, 0), uint16(columns, rows)];
  // 72 dots an inch, one frame a sample, no name, 24 bits.
  return box(
    'avc1',
    ...described,
    uint32(0x480000, 0x480000, 0),
    uint16(1),
    new Uint8Array(32),
    uint16(24, 0xffff),
    configuration,
  );
}

/** Returns the number of runs, and of each its length and value. */
function runs(values: readonly number[]): number[] {
  const found: number[] = [];
  for (const value of values) {
    if (found.length > 0 && found.at(-1) === value) found[found.length - 2]!++;
    else found.push(1, value);
  }
  return [found.length / 2, ...found];
}

export function box(
  type: string,
  ...content: (Uint8Array | readonly Uint8Array[])[]
): Uint8Array<ArrayBuffer> {
  const parts = content.flat();
  const length = parts.reduce((sum, part) => sum + part.length, 8);
  return concat([uint32(length), ascii(type), ...parts]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const ascii = (word: string) => Uint8Array.from(word, (letter) => letter.charCodeAt(0));

function uint16(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value >> 8, value]));
}

export function uint32(...values: (number | readonly number[])[]): Uint8Array {
  const all = values.flat();
  const bytes = new DataView(new ArrayBuffer(4 * all.length));
  all.forEach((value, at) => bytes.setUint32(4 * at, value));
  return new Uint8Array(bytes.buffer);
}
