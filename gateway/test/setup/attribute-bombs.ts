/**
 * DICOM objects that are small on disk and large once they are read: each one would block a careless server for
 * seconds.
 */
import { deflateRawSync } from 'node:zlib';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { imageObject, SMALL } from './image-object.ts';
import { LONG } from './long.ts';

const IMPLICIT = TransferSyntax.ImplicitVRLittleEndian;
const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian;
const JPEG = '1.2.840.10008.1.2.4.50';
const UNDEFINED = 0xffffffff;

/** Encodes the head of an element, which is all before its value; without a VR, the head of an item. */
function head(tag: number, vr: string | undefined, length: number, explicit = true): Buffer {
  const long = explicit && vr !== undefined && /^(O.|SQ|U[CNRT])$/.test(vr);
  const bytes = Buffer.alloc(long ? 12 : 8);
  bytes.writeUInt16LE(tag >>> 16, 0);
  bytes.writeUInt16LE(tag & 0xffff, 2);
  if (explicit && vr !== undefined) bytes.write(vr, 4, 'latin1');
  if (long || !explicit || vr === undefined) bytes.writeUInt32LE(length, bytes.length - 4);
  else bytes.writeUInt16LE(length, 6);
  return bytes;
}

const EMPTY_ITEM = head(0xfffee000, undefined, 0);
const SEQUENCE_END = head(0xfffee0dd, undefined, 0);

/** Empty private elements of different tags, eight bytes each. */
function attributes(count: number, explicit: boolean): Buffer {
  const perGroup = 0xf000;
  const bytes = Buffer.alloc(8 * count);
  for (let i = 0; i < count; i++) {
    const tag = ((0x0031 + 2 * Math.floor(i / perGroup)) << 16) | (0x1000 + (i % perGroup));
    head(tag >>> 0, 'LO', 0, explicit).copy(bytes, 8 * i);
  }
  return bytes;
}

function repeated(piece: Buffer, count: number): Buffer {
  return Buffer.alloc(piece.length * count, piece);
}

/** Encodes sequences within sequences that never end. */
function nested(depth: number): Buffer {
  const level = [head(0x00400260, 'SQ', UNDEFINED), head(0xfffee000, undefined, UNDEFINED)];
  return repeated(Buffer.concat(level), depth);
}

/** Encodes an attribute of many values, of one character each. */
function values(tag: number, vr: string, count: number, explicit: boolean): Buffer {
  return Buffer.concat([head(tag, vr, 2 * count, explicit), repeated(Buffer.from('1\\'), count)]);
}

/** Builds an image of 4 × 4 pixels with these elements before its pixels. */
function withElements(studyUid: string, transferSyntax: string, elements: Buffer): Buffer {
  const image = imageObject(studyUid, transferSyntax, SMALL, Buffer.alloc(16, 7));
  const pixels = transferSyntax === IMPLICIT ? -24 : -28;
  return Buffer.concat([image.subarray(0, pixels), elements, image.subarray(pixels)]);
}

/** Builds the same image with its data set deflated (PS3.5 §A.5). */
function deflated(studyUid: string, elements: Buffer): Buffer {
  const syntax = TransferSyntax.DeflatedExplicitVRLittleEndian;
  const file = withElements(studyUid, syntax, elements);
  const meta = 132 + 12 + file.readUInt32LE(140);
  return Buffer.concat([file.subarray(0, meta), deflateRawSync(file.subarray(meta))]);
}

function fragments(studyUid: string, count: number): Buffer {
  const image = imageObject(studyUid, JPEG, SMALL, [Buffer.alloc(0)]);
  return Buffer.concat([image.subarray(0, -8), repeated(EMPTY_ITEM, count), image.subarray(-8)]);
}

export interface AttributeBomb {
  name: string;
  /** Part 10 bytes of the instance `{studyUid}.1.1`. */
  file(studyUid: string): Buffer;
  /**
   * The parts of it that can be read: everything; its pixels and the object as stored; the object as stored; or
   * nothing, because its structure is damaged and no search finds it.
   */
  readable: 'everything' | 'pixels' | 'object' | 'nothing';
}

const sequence = (items: Buffer): Buffer =>
  Buffer.concat([head(0x00400260, 'SQ', UNDEFINED), items, SEQUENCE_END]);

/** Their first attributes, by which a search finds them, are as in any other object. */
const EVERY_BOMB: readonly (AttributeBomb & { long?: true })[] = [
  {
    name: '1.9 million attributes, explicit VR',
    long: true,
    file: (uid) => withElements(uid, EXPLICIT, attributes(1_900_000, true)),
    readable: 'object',
  },
  {
    name: '600,000 attributes, implicit VR',
    file: (uid) => withElements(uid, IMPLICIT, attributes(600_000, false)),
    readable: 'object',
  },
  {
    name: '1.9 million attributes, implicit VR',
    long: true,
    file: (uid) => withElements(uid, IMPLICIT, attributes(1_900_000, false)),
    readable: 'object',
  },
  {
    name: '500,000 empty items',
    file: (uid) => withElements(uid, EXPLICIT, sequence(repeated(EMPTY_ITEM, 500_000))),
    readable: 'object',
  },
  {
    name: '1.5 million empty items',
    long: true,
    file: (uid) => withElements(uid, EXPLICIT, sequence(repeated(EMPTY_ITEM, 1_500_000))),
    readable: 'object',
  },
  { name: '900,000 empty fragments', file: (uid) => fragments(uid, 900_000), readable: 'everything' },
  {
    name: '3 million values, explicit VR',
    file: (uid) => withElements(uid, EXPLICIT, values(0x00189999, 'UC', 3_000_000, true)),
    readable: 'pixels',
  },
  {
    name: '3 million values, implicit VR',
    long: true,
    file: (uid) => withElements(uid, IMPLICIT, values(0x00181065, 'DS', 3_000_000, false)),
    readable: 'pixels',
  },
  {
    name: '10,000 sequences within each other',
    file: (uid) => withElements(uid, EXPLICIT, nested(10_000)),
    readable: 'nothing',
  },
  {
    name: 'a text of 60 MB',
    file: (uid) =>
      withElements(
        uid,
        EXPLICIT,
        Buffer.concat([head(0x00311000, 'UT', 60e6), repeated(Buffer.from('"'), 60e6)]),
      ),
    readable: 'pixels',
  },
  {
    name: 'a deflated data set of 80 MB',
    file: (uid) => deflated(uid, Buffer.concat([head(0x00311000, 'OB', 80e6), Buffer.alloc(80e6)])),
    readable: 'everything',
  },
  {
    name: 'a deflated data set of 200 MB',
    long: true,
    file: (uid) => deflated(uid, Buffer.concat([head(0x00311000, 'OB', 200e6), Buffer.alloc(200e6)])),
    readable: 'everything',
  },
  {
    name: 'a deflated data set of 1.9 million attributes',
    long: true,
    file: (uid) => deflated(uid, attributes(1_900_000, true)),
    readable: 'object',
  },
];

/** All of them in `npm run test:long`; otherwise one of each kind, and smaller ones. */
export const ATTRIBUTE_BOMBS: readonly AttributeBomb[] = EVERY_BOMB.filter(({ long }) => LONG || !long);
