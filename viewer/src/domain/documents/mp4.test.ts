import { expect, test } from 'vitest';
import { transportStream, annexB } from '../../../test/setup/transport-stream.ts';
import type { Instance } from '../instance.ts';
import { fragmentOf, initialPart, piecesOf, shiftOf, typeOf } from './mp4-fragments.ts';
import { readMp4 } from './mp4.ts';
import { TIMESCALE, writeMp4, type Picture } from './mp4-writer.ts';
import { readTransportStream } from './transport-stream.ts';
import { filmOf, frameShownAt, isTransportStream, middleOf } from './video.ts';

const SPS = Uint8Array.of(0x67, 0x42, 0xe0, 0x1e, 1, 2, 3);
const PPS = Uint8Array.of(0x68, 4, 5);
const SIZE = { columns: 128, rows: 96 };
/** A slice that begins with its first macroblock. */
const slice = (isKey: boolean, content: number) => Uint8Array.of(isKey ? 0x65 : 0x41, 0x88, content, 0x80);

/** I P B B P B B as they are decoded, 25 a second; the first is shown one picture after it is decoded. */
const ORDER = [0, 3, 1, 2, 6, 4, 5];
const PICTURES = ORDER.map((shown, nth): Picture => ({
  units: [slice(nth === 0, nth)],
  decoded: nth * 3600,
  shown: (shown + 1) * 3600,
  isKey: nth === 0,
}));
const FILE = writeMp4({ pictures: PICTURES, sps: SPS, pps: PPS, ...SIZE });
const BEGINS = [0, 1, 2, 3, 4, 5, 6].map((nth) => nth / 25);

const uint = (value: number, bytes = 4) =>
  Array.from({ length: bytes }, (_, at) => Math.floor(value / 256 ** (bytes - 1 - at)) & 0xff);
const box = (type: string, ...content: number[]): number[] => [
  ...uint(content.length + 8),
  ...[...type].map((letter) => letter.charCodeAt(0)),
  ...content,
];
const words = (...values: number[]) => values.flatMap((value) => uint(value));
const letters = (word: string) => [...word].map((letter) => letter.charCodeAt(0));
/** A movie with one track. @param version of its boxes; 1 has times of 64 bits */
function movie({
  version = 0,
  tables = [],
  coding = 'avc1',
  rest = [] as number[],
  edits = [] as number[],
}: {
  version?: number;
  tables?: number[];
  coding?: string;
  rest?: number[];
  edits?: number[];
}) {
  const long = version === 1;
  const times = long ? Array<number>(16).fill(0) : Array<number>(8).fill(0);
  const head = [version, 0, 0, 0, ...times];
  const media = box(
    'mdia',
    ...box('mdhd', ...head, ...words(1000), ...Array<number>(long ? 8 : 4).fill(0)),
    ...box('hdlr', ...words(0, 0), ...letters('vide')),
    ...box(
      'minf',
      ...box('stbl', ...box('stsd', ...words(0, 1, 16), ...letters(coding), ...words(0, 0)), ...tables),
    ),
  );
  return box('moov', ...box('trak', ...box('tkhd', ...head, ...words(7)), ...edits, ...media), ...rest);
}
const FTYP = box('ftyp', ...letters('isom'));
const samplesIn = (file: number[]) =>
  readMp4(Uint8Array.from(file)).track?.samples.map(({ offset, size, at, duration }) => ({
    offset,
    size,
    at,
    duration,
  }));

test('what is written is read: each picture has its place and its time', () => {
  const { track, sound, cut } = readMp4(FILE);
  expect({ sound, cut, coding: track!.coding, timescale: track!.timescale }).toEqual({
    sound: false,
    cut: false,
    coding: 'avc1',
    timescale: TIMESCALE,
  });
  expect(track!.samples.map(({ at, duration }) => [at / 3600, duration])).toEqual(
    ORDER.map((nth) => [nth, 3600]),
  );
  // Four bytes of length, then the unit.
  expect(track!.samples.map(({ offset, size }) => [...FILE.subarray(offset + 4, offset + size)])).toEqual(
    PICTURES.map(({ units }) => [...units[0]!]),
  );
});

test('tables of chunks: 64 bits, several rules, sizes in common, an edit that begins later', () => {
  const tables = [
    ...box('stts', ...words(0, 2, 2, 40, 3, 20)),
    ...box('ctts', ...words(0, 1, 5, 10)),
    ...box('stsc', ...words(0, 2, 1, 2, 1, 2, 1, 1)),
    ...box('stsz', ...words(0, 100, 5)),
    ...box('co64', ...words(0, 4), ...uint(1000, 8), ...uint(2000, 8), ...uint(3000, 8), ...uint(4000, 8)),
  ];
  const edits = box(
    'edts',
    ...box(
      'elst',
      1,
      0,
      0,
      0,
      ...words(2),
      ...uint(9, 8),
      ...Array<number>(8).fill(0xff),
      ...words(0x10000),
      ...uint(9, 8),
      ...uint(10, 8),
      ...words(0x10000),
    ),
  );
  expect(samplesIn([...FTYP, ...movie({ version: 1, tables, edits })])).toEqual([
    { offset: 1000, size: 100, at: 0, duration: 40 },
    { offset: 1100, size: 100, at: 40, duration: 40 },
    { offset: 2000, size: 100, at: 80, duration: 20 },
    { offset: 3000, size: 100, at: 100, duration: 20 },
    { offset: 4000, size: 100, at: 120, duration: 20 },
  ]);
});

test.each([
  ['of 32 bits', 0, [0, 0, 0, 0, ...words(1, 9, 80, 0x10000)]],
  ['of 64 bits', 1, [1, 0, 0, 0, ...words(1), ...uint(9, 8), ...uint(80, 8), ...words(0x10000)]],
  ['after an empty edit', 0, [0, 0, 0, 0, ...words(2, 5, 0xffffffff, 0x10000, 9, 80, 0x10000)]],
])('a video that is trimmed begins where its edit list says, %s', (_what, version, list) => {
  const tables = [
    ...box('stts', ...words(0, 1, 5, 40)),
    ...box('stss', ...words(0, 1, 1)),
    ...box('stsc', ...words(0, 1, 1, 5, 1)),
    ...box('stsz', ...words(0, 10, 5)),
    ...box('stco', ...words(0, 1, 0)),
  ];
  const file = Uint8Array.from([
    ...FTYP,
    ...movie({ version, tables, edits: box('edts', ...box('elst', ...list)) }),
  ]);
  expect(readMp4(file).track!.samples.map(({ at }) => at)).toEqual([-80, -40, 0, 40, 80]);
  expect(filmOf({}, file)).toMatchObject({ begins: [0, 0.04, 0.08], end: 0.12, named: 3 });
});

test('fragments, as a recorder writes them: own and usual durations and sizes, delays', () => {
  const rest = box('mvex', ...box('trex', ...words(0, 7, 1, 33, 500, 0)));
  const first = box(
    'moof',
    ...box(
      'traf',
      ...box('tfhd', ...words(0x20000, 7)),
      ...box('tfdt', ...words(0, 0)),
      ...box('trun', ...words(0x1, 2, 100)),
    ),
  );
  const second = box(
    'moof',
    ...box('traf', ...box('tfhd', ...words(0x20008, 8, 1)), ...box('trun', ...words(0x1, 9, 0))),
    ...box(
      'traf',
      ...box('tfhd', ...words(0x20008, 7, 40)),
      ...box('tfdt', 1, 0, 0, 0, ...uint(70, 8)),
      ...box('trun', ...words(0xa05, 2, 200, 0, 10, 40, 20, -40 >>> 0)),
    ),
  );
  const head = [...FTYP, ...movie({ rest })];
  const [one, other] = [head.length, head.length + first.length];
  expect(samplesIn([...head, ...first, ...second])).toEqual([
    { offset: one + 100, size: 500, at: 0, duration: 33 },
    { offset: one + 600, size: 500, at: 33, duration: 33 },
    { offset: other + 200, size: 10, at: 110, duration: 40 },
    { offset: other + 210, size: 20, at: 70, duration: 40 },
  ]);
});

test('pieces: they begin where the video can be entered, and give the same pictures at the same times', () => {
  const keys = PICTURES.map((one, nth) => ({ ...one, isKey: nth === 0 || nth === 4 }));
  const file = writeMp4({ pictures: keys, sps: SPS, pps: PPS, ...SIZE });
  const track = readMp4(file).track!;
  expect(typeOf(track)).toBe('video/mp4; codecs="avc1.42e01e"');
  const pieces = piecesOf(track, 1);
  expect(pieces.map(({ from, to, starts }) => [from, to, starts])).toEqual([
    [0, 4, 0],
    [4, 7, 4 / 25],
  ]);
  expect(piecesOf(track, 1e6)).toHaveLength(1);
  const parts = pieces.map((piece) => fragmentOf(track, piece, file.subarray(piece.begin, piece.end)));
  const streamed = Uint8Array.from([initialPart(track, SIZE), ...parts].flatMap((part) => [...part]));
  const back = readMp4(streamed).track!;
  expect(back.samples.map(({ at }) => at - shiftOf(track))).toEqual(track.samples.map(({ at }) => at));
  expect(back.samples.map(({ offset, size }) => [...streamed.subarray(offset, offset + size)])).toEqual(
    track.samples.map(({ offset, size }) => [...file.subarray(offset, offset + size)]),
  );
});

test('a file that ends early is cut; frames of which bytes are missing are not counted', () => {
  const { track } = readMp4(FILE);
  const third = track!.samples[3]!;
  const film = filmOf({}, FILE.subarray(0, third.offset + 2));
  expect(film).toMatchObject({ cut: true, named: 7, coding: 'H.264' });
  expect(film.begins).toEqual([0, 1, 3].map((nth) => nth / 25));
  expect(readMp4(FILE.subarray(0, 100))).toEqual({ cut: true, sound: false });
});

test.each<[string, number[]]>([
  ['nothing', []],
  ['a box without end', [...uint(8), ...letters('moov')]],
  ['a box smaller than its head', [...uint(3), ...letters('moov'), ...words(1, 2, 3)]],
  ['a movie without tracks', box('moov', ...words(0xffffffff, 0xffffffff))],
  [
    'tables that count more than they have',
    movie({
      tables: [
        ...box('stsz', ...words(0, 1, 0xffffffff)),
        ...box('stsc', ...words(0, 0xffffffff, 1, 0xffffffff, 1)),
        ...box('stco', ...words(0, 0xffffffff)),
        ...box('stts', ...words(0, 0xffffffff, 0)),
      ],
    }),
  ],
  ['any bytes', Array.from({ length: 4096 }, (_, at) => (at * 7919) & 0xff)],
])('%s is no video, and no error', (_what, file) => {
  expect(filmOf({}, Uint8Array.from(file)).begins).toEqual([]);
});

const frames = (values: Record<string, number>): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, value]) => [tag, { vr: 'DS', Value: [value] }]));
test.each([
  ['Frame Time', { '00280008': 3, '00181063': 40 }, [0, 0.04, 0.08]],
  ['Recommended Display Frame Rate', { '00280008': 2, '00082144': 50 }, [0, 0.02]],
  ['Cine Rate', { '00280008': 2, '00180040': 25 }, [0, 0.04]],
  ['nothing', { '00280008': 2 }, []],
])('a file that says no times has those of the object: %s', (_what, values, begins) => {
  expect(filmOf(frames(values), Uint8Array.of(1, 2, 3)).begins).toEqual(begins);
});

test('a time shows the frame that has begun; each frame is in its middle', () => {
  const film = { begins: [0, 0.1, 0.15, 0.9], end: 1 };
  expect([-1, 0, 0.099, 0.1, 0.149, 0.5, 0.9, 7].map((at) => frameShownAt(film, at))).toEqual([
    0, 0, 0, 1, 1, 2, 3, 3,
  ]);
  for (const frame of [0, 1, 2, 3]) expect(frameShownAt(film, middleOf(film, frame))).toBe(frame);
});

const access = ({ units, decoded, shown }: Picture, before: Uint8Array[] = []) => ({
  bytes: annexB([Uint8Array.of(9, 0xf0), ...before, ...units]),
  decoded,
  shown,
});
/** Times turn over within it. */
const LATE = 2 ** 33 - 4 * 3600;

test('a transport stream becomes the same pictures in MP4, with their times', () => {
  const late = PICTURES.map((one) => ({ ...one, decoded: one.decoded + LATE, shown: one.shown + LATE }));
  const turned = late.map(({ decoded, shown, ...one }) => ({
    ...one,
    decoded: decoded % 2 ** 33,
    shown: shown % 2 ** 33,
  }));
  const long = Uint8Array.from({ length: 700 }, (_, at) =>
    at === 0 ? 0x41 : at === 1 ? 0x08 : 1 + (at % 250),
  );
  turned[2] = { ...turned[2]!, units: [...turned[2]!.units, long] };
  const stream = transportStream(
    turned.map((one, nth) => access(one, nth === 0 ? [SPS, PPS] : [])),
    [0x1b, 0x0f],
  );
  expect(isTransportStream(stream)).toBe(true);
  const { mp4, coding, sound } = readTransportStream(stream, SIZE);
  expect({ coding, sound }).toEqual({ coding: 'H.264', sound: true });
  expect(filmOf({}, mp4!)).toMatchObject({ begins: BEGINS, end: 7 / 25, named: 7 });
  const { track } = readMp4(mp4!);
  // A picture of two slices, longer than a packet; parameter sets stay with the first picture.
  expect(track!.samples[2]!.size).toBe(4 + turned[2].units[0]!.length + 4 + long.length);
  expect(track!.samples[0]!.size).toBe(4 + SPS.length + 4 + PPS.length + 4 + 4);
});

test('pictures before the first that can be decoded alone are left out, and so is one whose end is missing', () => {
  const [key, ...others] = PICTURES;
  const stream = transportStream([access(others[0]!), access(key!, [SPS, PPS]), access(others[1]!)]);
  const count = (bytes: Uint8Array) => readMp4(readTransportStream(bytes, SIZE).mp4!).track!.samples.length;
  expect(count(stream)).toBe(2);
  // A byte that makes the length even is no cut.
  expect(count(Uint8Array.of(...stream, 0))).toBe(2);
  expect(count(stream.subarray(0, -60))).toBe(1);
});

test.each<[string, Uint8Array, string | undefined]>([
  ['MPEG-2', transportStream([], [0x02]), 'MPEG-2'],
  ['H.265', transportStream([], [0x0f, 0x24]), 'H.265 (HEVC)'],
  ['H.264 without a picture', transportStream([]), 'H.264'],
  ['sound alone', transportStream([], [0x0f]), undefined],
  ['packets without tables', new Uint8Array(1880).fill(0x47), undefined],
])('a transport stream of %s is not played', (_what, stream, coding) => {
  expect(readTransportStream(stream, SIZE)).toMatchObject({ coding });
  expect(readTransportStream(stream, SIZE).mp4).toBeUndefined();
});
