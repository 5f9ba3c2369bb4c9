/** Pseudo-random numbers, the same in every run. Each fuzzing case has a seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0 up to, not including, 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns an integer from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

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
