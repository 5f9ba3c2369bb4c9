import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { MultipartRelay } from '../../multipart/multipart-relay.ts';
import { objectTypeOf } from '../../sources/stored/file-meta.ts';
import {
  MultipartError,
  readMultipart,
  writeMultipart,
  type OutgoingPart,
} from '../../multipart/multipart.ts';
import { damaged } from './random.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';
import { hold, type Target } from './target.ts';

const BOUNDARY = 'b0undary';
const PREAMBLE = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);
const NOTHING = Buffer.alloc(0);

/** Whole and damaged multipart bodies in chunks of any size. Reading and relaying them must give the same. */
export const multipart: Target = {
  name: 'multipart',
  async run(random) {
    const parts = Array.from({ length: random.below(5) }, () => part(random));
    const whole = await buffer(writeMultipart(each(parts), BOUNDARY));
    hold(
      same(
        await read(pieces(whole, random), BOUNDARY),
        parts.map(({ body }) => body),
      ),
      'parts changed',
    );

    const bytes = random.chance(0.9) ? damaged(whole, random, 300) : random.bytes(random.below(300));
    const direct = await read(pieces(bytes, random), BOUNDARY);
    const relayed = await relay(pieces(bytes, random));
    const again = relayed && (await read(pieces(relayed, random), 'own'));
    hold(!relayed || again !== undefined, 'what was passed on is no multipart body');
    // The relay refuses a body without parts, which reads as none.
    const expected = direct?.length === 0 ? undefined : direct;
    hold(same(again, expected), `read as ${describeParts(expected)}, passed on as ${describeParts(again)}`);
  },
};

interface WholePart extends OutgoingPart {
  body: Buffer;
}

function part(random: Random): WholePart {
  const length = random.of([0, 1, 5, 150, 700]);
  // Bytes that look like the start of a delimiter.
  const teasing = Buffer.from(`\r\n--${BOUNDARY.slice(0, random.below(BOUNDARY.length))}`);
  const start = random.chance(0.5) ? PREAMBLE : NOTHING;
  const body = Buffer.concat([start, random.bytes(length), random.chance(0.3) ? teasing : NOTHING]);
  return {
    headers: { 'Content-Type': 'application/dicom' },
    ...(random.chance(0.5) && { size: body.length }),
    body,
  };
}

async function* each(parts: readonly OutgoingPart[]): AsyncGenerator<OutgoingPart> {
  yield* parts;
}

function* pieces(bytes: Buffer, random: Random): Generator<Buffer> {
  const most = random.of([1, 3, 40, 1000]);
  for (let at = 0; at < bytes.length;) {
    const length = 1 + random.below(most);
    // A copy, so that readers do not see the next piece.
    yield Buffer.from(bytes.subarray(at, at + length));
    at += length;
  }
}

async function* asynchronous(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* chunks;
}

/** Returns the bodies of the parts; undefined for an invalid or incomplete multipart body. */
async function read(chunks: Iterable<Buffer>, boundary: string): Promise<Buffer[] | undefined> {
  const bodies: Buffer[] = [];
  try {
    for await (const { body } of readMultipart(asynchronous(chunks), boundary)) {
      const gathered: Buffer[] = [];
      for await (const chunk of body) gathered.push(chunk);
      bodies.push(Buffer.concat(gathered));
    }
    return bodies;
  } catch (error) {
    if (error instanceof MultipartError) return undefined;
    throw error;
  }
}

async function relay(chunks: Iterable<Buffer>): Promise<Buffer | undefined> {
  const passed: Buffer[] = [];
  try {
    await pipeline(
      Readable.from(chunks),
      new MultipartRelay({ boundary: BOUNDARY, own: 'own', partType: objectTypeOf }),
      async (source) => {
        for await (const chunk of source) passed.push(chunk as Buffer);
      },
    );
    return Buffer.concat(passed);
  } catch (error) {
    if (error instanceof MultipartError) return undefined;
    throw error;
  }
}

function same(one: readonly Buffer[] | undefined, other: readonly Buffer[] | undefined): boolean {
  if (!one || !other) return one === other;
  return one.length === other.length && one.every((body, i) => body.equals(other[i]!));
}

function describeParts(bodies: readonly Buffer[] | undefined): string {
  return bodies ? `parts of ${bodies.map(({ length }) => length).join(', ')} bytes` : 'none';
}
