import { DamagedFile } from '../../dicom/part10/bytes.ts';

/** Huffman codes by their first bits, ISO 10918-1 §C.2. */
export interface HuffmanTable {
  /** For each 16 bits: the length of the code at their start shifted left by 8, and its symbol; 0 if there is none. */
  lookup: Uint16Array;
}

/**
 * Builds the lookup of a Huffman table.
 * @param counts number of codes of each length from 1 to 16
 * @param values symbols in order of their codes
 * @throws {DamagedFile} when there are more codes than possible
 */
export function huffmanTable(counts: Uint8Array, values: Uint8Array): HuffmanTable {
  const lookup = new Uint16Array(1 << 16);
  let at = 0;
  let next = 0;
  for (let length = 1; length <= 16; length++) {
    for (let n = 0; n < counts[length - 1]!; n++) {
      const after = at + (1 << (16 - length));
      if (after > lookup.length) throw new DamagedFile('A Huffman table of the JPEG stream is damaged.');
      lookup.fill((length << 8) | values[next++]!, at, after);
      at = after;
    }
  }
  return { lookup };
}

/** Reads bits of entropy-coded data, highest first. A byte FF is followed by 00, §F.1.2.3. */
export class BitReader {
  readonly #stream: Uint8Array;
  #position: number;
  #held = 0;
  #count = 0;
  /** Zero bits added after the end, which may be read ahead but never used. */
  #missing = 0;

  constructor(stream: Uint8Array, position: number) {
    this.#stream = stream;
    this.#position = position;
  }

  #fill(): void {
    while (this.#count <= 16) {
      const byte = this.#stream[this.#position];
      const isMarker = byte === 0xff && this.#stream[this.#position + 1] !== 0;
      if (byte === undefined || isMarker) {
        this.#missing += 8;
        this.#held = (this.#held << 8) | 0;
      } else {
        this.#position += byte === 0xff ? 2 : 1;
        this.#held = (this.#held << 8) | byte;
      }
      this.#count += 8;
    }
  }

  #take(length: number): void {
    this.#count -= length;
    if (this.#count < this.#missing) throw new DamagedFile('The JPEG stream is cut short.');
  }

  symbol(table: HuffmanTable | undefined): number {
    if (!table) throw new DamagedFile('The JPEG stream lacks a Huffman table.');
    this.#fill();
    const entry = table.lookup[(this.#held >>> (this.#count - 16)) & 0xffff]!;
    if (entry === 0) throw new DamagedFile('The JPEG stream holds a code that is none.');
    this.#take(entry >> 8);
    return entry & 0xff;
  }

  /** Reads bits. @param length up to 16 */
  bits(length: number): number {
    if (length === 0) return 0;
    this.#fill();
    const value = (this.#held >>> (this.#count - length)) & ((1 << length) - 1);
    this.#take(length);
    return value;
  }

  bit(): number {
    return this.bits(1);
  }

  /** Reads a signed number of this many bits, §F.2.2.1. */
  signed(length: number): number {
    if (length > 16) throw new DamagedFile('The JPEG stream holds a number that is too long.');
    const value = this.bits(length);
    return length > 0 && value < 1 << (length - 1) ? value - (1 << length) + 1 : value;
  }

  /** Continues after a restart marker. */
  restart(): void {
    const marker = this.#stream[this.#position + 1];
    if (this.#stream[this.#position] !== 0xff || marker === undefined || marker < 0xd0 || marker > 0xd7)
      throw new DamagedFile('The JPEG stream lacks a restart marker.');
    this.#position += 2;
    this.#held = this.#count = this.#missing = 0;
  }

  /** @returns position of the next marker */
  end(): number {
    let at = this.#position;
    while (at < this.#stream.length && !(this.#stream[at] === 0xff && this.#stream[at + 1] !== 0)) at++;
    return at;
  }
}
