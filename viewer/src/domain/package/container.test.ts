import { describe, expect, test } from 'vitest';
import {
  OpenedPackage,
  PackageFault,
  PackageWriter,
  type PackageHead,
  type SealedPart,
} from './container.ts';

const PASSCODE = 'blue whale 72';
/** Small ones, so that a few bytes have several. */
const PART = 16;
const CONTENT = Uint8Array.from({ length: 70 }, (_, at) => at);
const INDEX = { name: 'Größe', at: 3 };

interface Made {
  head: PackageHead;
  parts: SealedPart[];
}

async function made(content = CONTENT, passcode = PASSCODE): Promise<Made> {
  const writer = await PackageWriter.begin(passcode, PART);
  const parts: SealedPart[] = [];
  // In pieces, of which some are longer than a part.
  for (const [from, to] of [
    [0, 5],
    [5, 50],
    [50, content.length],
  ])
    for await (const part of writer.add(content.subarray(from, to))) parts.push(part);
  expect(writer.length).toBe(content.length);
  for await (const part of writer.end(INDEX)) parts.push(part);
  return { head: { salt: writer.salt, parts: parts.length }, parts };
}

const open = ({ head, parts }: Made, passcode = PASSCODE) =>
  OpenedPackage.open<typeof INDEX>(head, passcode, (number) => Promise.resolve(parts[number]!));

const [one, other] = await Promise.all([made(), made()]);

test('it is opened by its passcode, however that is typed, and gives what was put in', async () => {
  const opened = await open(one, ` ${PASSCODE}\n`);
  expect(opened.index).toEqual(INDEX);
  expect(opened.read([[0, 70]])).toEqual(CONTENT);
  // Over the edges of parts, and in another order.
  expect([
    ...opened.read([
      [30, 4],
      [15, 2],
      [2, 0],
    ]),
  ]).toEqual([30, 31, 32, 33, 15, 16]);
  expect(() => opened.read([[10_000, 1]])).toThrow(RangeError);
});

test('an accent is the same, whether it is one character or two', async () => {
  expect((await open(await made(CONTENT, 'cafe\u0301 con leche'), 'café con leche')).index).toEqual(INDEX);
});

test('a package without images has its index', async () => {
  expect((await open(await made(new Uint8Array()))).index).toEqual(INDEX);
});

test('nothing of the content is in the clear, and two packages of the same have nothing in common', () => {
  const texts = [one, other].flatMap(({ parts }) => parts.flatMap(({ iv, data }) => [iv, data]));
  expect(new Set(texts).size).toBe(texts.length);
  expect(atob(one.parts.at(-1)!.data)).not.toContain('name');
});

/** Returns a package with some of its parts in place of others. */
const with_ = (change: (parts: SealedPart[]) => SealedPart[]): Made => {
  const parts = change([...one.parts]);
  return { head: { ...one.head, parts: parts.length }, parts };
};
const flipped = ({ iv, data }: SealedPart): SealedPart => ({
  iv,
  data: (data.startsWith('A') ? 'B' : 'A') + data.slice(1),
});

describe('it stays closed', () => {
  test.each<[string, PackageFault['kind'], Made, string?]>([
    ['with a wrong passcode', 'passcode', one, 'blue whale 73'],
    ['with one in other capitals', 'passcode', one, 'Blue whale 72'],
    ['with no passcode', 'passcode', one, ''],
    ['with the salt of another', 'passcode', { ...one, head: { ...one.head, salt: other.head.salt } }],
    ['without its end', 'damaged', with_((parts) => parts.slice(0, -1))],
    ['without its index and one part', 'damaged', with_((parts) => parts.slice(0, 3))],
    ['cut to its first part', 'passcode', with_((parts) => parts.slice(0, 1))],
    ['without a part in the middle', 'damaged', with_((parts) => parts.toSpliced(2, 1))],
    ['with a part twice', 'damaged', with_((parts) => parts.toSpliced(2, 0, parts[2]!))],
    ['with two parts swapped', 'damaged', with_((parts) => parts.with(1, parts[2]!).with(2, parts[1]!))],
    ['with the first and the last swapped', 'passcode', with_((parts) => parts.toReversed())],
    ['with a part of another package', 'damaged', with_((parts) => parts.with(2, other.parts[2]!))],
    ['with the end of another package', 'damaged', with_((parts) => parts.with(-1, other.parts.at(-1)!))],
    ['with something added', 'damaged', with_((parts) => [...parts, other.parts.at(-1)!])],
    ['with a changed bit', 'damaged', with_((parts) => parts.with(3, flipped(parts[3]!)))],
    ['with what is no base64', 'damaged', with_((parts) => parts.with(3, { iv: '', data: '?' }))],
  ])('%s', async (_what, kind, of, passcode) => {
    await expect(open(of, passcode)).rejects.toMatchObject({ name: 'Error', kind });
  });

  test('and says it at the first part, without asking for another', async () => {
    const asked: number[] = [];
    const load = (number: number) => {
      asked.push(number);
      return Promise.resolve(one.parts[number]!);
    };
    await expect(OpenedPackage.open(one.head, 'another passcode', load)).rejects.toThrow(PackageFault);
    expect(asked).toEqual([0]);
  });
});
