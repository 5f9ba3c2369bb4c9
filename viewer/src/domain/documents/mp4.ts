/** The frames of a video in a file of MP4 (ISO/IEC 14496-12), by its tables or by its fragments. */

/** A frame as it lies in the file. Times are in parts of a second, `timescale` of them in one. */
interface Sample {
  offset: number;
  size: number;
  /** When it is decoded, and when it appears. */
  decoded: number;
  at: number;
  duration: number;
  /** True if it can be decoded without those before it; fragments are not asked for it. */
  isKey: boolean;
}

export interface VideoTrack {
  /** The four letters of its coding: `avc1` is H.264, `hvc1` H.265. */
  coding: string;
  timescale: number;
  /** Content of the box `stsd`, which describes the coding. */
  description: Uint8Array;
  /** In the order in which they are decoded. */
  samples: readonly Sample[];
}

export interface Mp4 {
  /** Undefined if the file describes no video, or ends before it does. */
  track?: VideoTrack | undefined;
  sound: boolean;
  /** True if the end of the file is missing. */
  cut: boolean;
}

/** A box, without its header. */
interface Box {
  type: string;
  from: number;
  to: number;
  /** True if it should be longer. */
  cut?: boolean;
}

/** Reads a file, which may end early: frames of which bytes are missing are listed too. */
export function readMp4(bytes: Uint8Array): Mp4 {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = boxes(file, 0, bytes.byteLength);
  const cut = all.at(-1)?.cut ?? false;
  const movie = all.find(({ type }) => type === 'moov');
  if (!movie) return { sound: false, cut };
  const inMovie = boxes(file, movie.from, movie.to);
  const tracks = inMovie.filter(({ type }) => type === 'trak').map((track) => readTrack(file, track));
  const video = tracks.find(({ handler }) => handler === 'vide');
  const sound = tracks.some(({ handler }) => handler === 'soun');
  if (!video?.coding || !video.timescale) return { sound, cut };
  const inFragments = video.samples.length > 0 ? [] : fragmentsOf(file, all, video.id, inMovie);
  const samples = [...video.samples, ...inFragments];
  const shown = samples.map((sample) => ({
    ...sample,
    decoded: sample.decoded - video.begin,
    at: sample.at - video.begin,
  }));
  const { coding, timescale, description } = video;
  return { track: { coding, timescale, description, samples: shown }, sound, cut };
}

/** Returns the boxes of a part of the file; the last one may reach beyond it, and ends with it. */
function boxes(file: DataView, from: number, to: number): Box[] {
  const found: Box[] = [];
  for (let at = from; at + 8 <= to;) {
    const type = letters(file, at + 4);
    let size = file.getUint32(at);
    let header = 8;
    if (size === 1 && at + 16 <= to) [size, header] = [Number(file.getBigUint64(at + 8)), 16];
    // The last box of a file may leave its size open.
    if (size === 0) size = to - at;
    if (size < header) break;
    found.push({ type, from: at + header, to: Math.min(at + size, to), cut: at + size > to });
    at += size;
  }
  return found;
}

function letters(file: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((n) => file.getUint8(at + n)));
}

/** Reads a track; what its boxes do not say, or only beyond the end of the file, is missing. */
function readTrack(file: DataView, track: Box) {
  const box = (...path: string[]) =>
    path.reduce<Box | undefined>(
      (within, type) => within && boxes(file, within.from, within.to).find((one) => one.type === type),
      track,
    );
  const table = (name: string) => new Table(file, box('mdia', 'minf', 'stbl', name));
  const [tkhd, mdhd, hdlr] = [box('tkhd'), box('mdia', 'mdhd'), box('mdia', 'hdlr')].map(
    (one) => new Table(file, one),
  ) as [Table, Table, Table];
  const handler = hdlr.has(12) ? letters(file, hdlr.at(8)) : undefined;
  return {
    id: tkhd.uint(tkhd.version === 1 ? 20 : 12),
    handler,
    timescale: mdhd.uint(mdhd.version === 1 ? 20 : 12),
    coding: table('stsd').has(16) ? letters(file, table('stsd').at(12)) : undefined,
    description: table('stsd').bytes,
    begin: beginOf(new Table(file, box('edts', 'elst'))),
    samples: handler === 'vide' ? samplesOf(table) : [],
  };
}

/** The content of a box that begins with version and flags. Reads beyond its end give 0. */
class Table {
  readonly #file: DataView;
  readonly #box: Box;

  constructor(file: DataView, box: Box | undefined) {
    this.#file = file;
    this.#box = box ?? { type: '', from: 0, to: 0 };
  }

  at(offset: number): number {
    return this.#box.from + offset;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(
      this.#file.buffer,
      this.#file.byteOffset + this.#box.from,
      this.#box.to - this.#box.from,
    );
  }

  has(offset: number): boolean {
    return this.at(offset) <= this.#box.to;
  }

  get version(): number {
    return this.has(4) ? this.#file.getUint8(this.at(0)) : 0;
  }

  get flags(): number {
    return this.uint(0) & 0xffffff;
  }

  uint(offset: number): number {
    return this.has(offset + 4) ? this.#file.getUint32(this.at(offset)) : 0;
  }

  int(offset: number): number {
    return this.uint(offset) | 0;
  }

  uint64(offset: number): number {
    return this.has(offset + 8) ? Number(this.#file.getBigUint64(this.at(offset))) : 0;
  }

  /** Yields the rows of a table: its count stands at `head`, each row has `width` bytes. */
  *rows(width: number, head = 4): Generator<number> {
    const first = head + 4;
    for (let row = 0; row < this.uint(head) && this.has(first + (row + 1) * width); row++)
      yield first + row * width;
  }
}

/** Returns the time of the media with which the presentation begins (edit list, §8.6.6). */
function beginOf(edits: Table): number {
  const isLong = edits.version === 1;
  for (const row of edits.rows(isLong ? 20 : 12)) {
    const begin = isLong ? edits.uint64(row + 8) : edits.int(row + 4);
    // An edit of -1 is empty.
    if (begin >= 0 && begin < Number.MAX_SAFE_INTEGER) return begin;
  }
  return 0;
}

/** More frames than any examination has; a file that counts more is not believed. */
const MOST_SAMPLES = 4_000_000;

/** Reads the tables of samples (§8.6, §8.7). */
function samplesOf(table: (name: string) => Table): Sample[] {
  const [sizes, perChunk] = [table('stsz'), table('stsc')];
  const common = sizes.uint(4);
  const each = sizes.rows(4, 8);
  const [durations, delays] = [runs(table('stts')), runs(table('ctts'))];
  const listed = table('stss');
  const keys = new Set([...listed.rows(4)].map((row) => listed.uint(row)));
  const rules = [...perChunk.rows(12)].map((row) => [perChunk.uint(row), perChunk.uint(row + 4)] as const);
  const count = Math.min(sizes.uint(8), MOST_SAMPLES);
  const samples: Sample[] = [];
  let [decoded, rule] = [0, 0];
  for (const [chunk, first] of chunksOf(table).entries()) {
    while ((rules[rule + 1]?.[0] ?? Infinity) <= chunk + 1) rule++;
    let offset = first;
    for (let n = 0; n < (rules[rule]?.[1] ?? 0) && samples.length < count; n++) {
      const size = common || sizes.uint(each.next().value ?? Infinity);
      const duration = durations();
      // Versions of the table differ in whether delays have a sign: none is as long as half of the numbers.
      // Without a list each one can.
      const isKey = keys.size === 0 || keys.has(samples.length + 1);
      samples.push({ offset, size, decoded, at: decoded + (delays() | 0), duration, isKey });
      offset += size;
      decoded += duration;
    }
  }
  return samples;
}

/** Returns where chunks begin. */
function chunksOf(table: (name: string) => Table): number[] {
  const [short, long] = [table('stco'), table('co64')];
  return [
    ...[...short.rows(4)].map((row) => short.uint(row)),
    ...[...long.rows(8)].map((row) => long.uint64(row)),
  ];
}

/** Reads runs of equal values. @returns gives the value of one sample after the other; 0 where there is none */
function runs(table: Table): () => number {
  const rows = table.rows(8);
  let [left, value] = [0, 0];
  return () => {
    while (left === 0) {
      const row = rows.next().value;
      if (row === undefined) return 0;
      [left, value] = [table.uint(row), table.uint(row + 4)];
    }
    left--;
    return value;
  };
}

/** Reads the samples of fragments (§8.8), as programs write them that do not know the end when they begin. */
function fragmentsOf(file: DataView, all: readonly Box[], track: number, inMovie: readonly Box[]): Sample[] {
  const within = ({ from, to }: Box, type: string) =>
    boxes(file, from, to).filter((one) => one.type === type);
  const defaults = inMovie
    .filter(({ type }) => type === 'mvex')
    .flatMap((box) => within(box, 'trex'))
    .map((box) => new Table(file, box))
    .find((one) => one.uint(4) === track);
  const usual = { duration: defaults?.uint(12) ?? 0, size: defaults?.uint(16) ?? 0 };
  const samples: Sample[] = [];
  let decoded = 0;
  for (const fragment of all.filter(({ type }) => type === 'moof'))
    for (const part of within(fragment, 'traf')) {
      const header = new Table(file, within(part, 'tfhd')[0]);
      if (header.uint(4) !== track) continue;
      const begin = new Table(file, within(part, 'tfdt')[0]);
      if (begin.has(8)) decoded = begin.version === 1 ? begin.uint64(4) : begin.uint(4);
      const own = headerOf(header, { ...usual, base: fragment.from - 8 });
      for (const run of within(part, 'trun')) {
        for (const { delay, ...sample } of runOf(new Table(file, run), own)) {
          samples.push({ ...sample, decoded, at: decoded + delay, isKey: false });
          decoded += sample.duration;
        }
      }
    }
  return samples;
}

/** Reads what a track fragment says for all its samples (§8.8.7). */
function headerOf(header: Table, usual: { duration: number; size: number; base: number }) {
  const own = { ...usual };
  let at = 8;
  const next = (flag: number, width: number) => {
    if (!(header.flags & flag)) return undefined;
    at += width;
    return at - width;
  };
  const base = next(0x1, 8);
  if (base !== undefined) own.base = header.uint64(base);
  next(0x2, 4);
  const [duration, size] = [next(0x8, 4), next(0x10, 4)];
  if (duration !== undefined) own.duration = header.uint(duration);
  if (size !== undefined) own.size = header.uint(size);
  return own;
}

/** Yields the samples of a run (§8.8.8). */
function* runOf(run: Table, usual: { duration: number; size: number; base: number }) {
  const { flags } = run;
  let offset = usual.base + (flags & 0x1 ? run.int(8) : 0);
  const fields = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag);
  const head = 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  const count = Math.min(run.uint(4), MOST_SAMPLES);
  for (let n = 0, at = head; n < count && run.has(at + 4 * fields.length); n++) {
    const field = (flag: number) => (flags & flag ? at + 4 * fields.indexOf(flag) : undefined);
    const [duration, size, delay] = [field(0x100), field(0x200), field(0x800)];
    const sample = {
      offset,
      size: size === undefined ? usual.size : run.uint(size),
      duration: duration === undefined ? usual.duration : run.uint(duration),
      delay: delay === undefined ? 0 : run.int(delay),
    };
    yield sample;
    offset += sample.size;
    at += 4 * fields.length;
  }
}
