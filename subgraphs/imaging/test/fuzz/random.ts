import type { Random } from '../../../../gateway/test/setup/random.ts';

/** Returns a number for a text, so that targets have different cases. */
export function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (const character of text) sum = Math.imul(sum ^ character.codePointAt(0)!, 0x01000193);
  return sum >>> 0;
}

/** Replaces lone surrogates in a text, as URLs and JSON require. */
export function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

const LENGTHS = [0, 1, 7, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffe, 0xffffffff];

/**
 * Damages bytes: cuts them, flips bits, writes absurd lengths, and removes, doubles or overwrites pieces.
 * @param reach bytes from the start, such as headers, that are damaged more often than others
 */
export function damaged(original: Buffer, random: Random, reach = 2000): Buffer {
  let bytes = Buffer.from(original);
  const place = (): number => random.below(random.chance(0.7) ? Math.min(reach, bytes.length) : bytes.length);
  for (let rounds = 1 + random.below(4); rounds > 0 && bytes.length > 8; rounds--) {
    const at = place();
    const piece = 1 + random.below(64);
    switch (random.below(7)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
      case 2:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 3:
        if (at + 4 <= bytes.length) bytes.writeUInt32LE(random.of(LENGTHS), at);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + piece)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + piece), bytes.subarray(at)]);
        break;
      default:
        random.bytes(Math.min(piece, bytes.length - at)).copy(bytes, at);
    }
  }
  return bytes;
}
