import { nonsense } from './nonsense.ts';

const [QUOTE, ESCAPE, COMMA] = [0x22, 0x5c, 0x2c];
const [ARRAY, ARRAY_END, OBJECT, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Objects and arrays within each other: three for each level of sequences, of which there are 64 at most. */
const MAX_DEPTH = 200;

/** How much of an object has come so far. */
export interface RowSize {
  bytes: number;
  /** Objects, arrays and commas in it: a parser makes about as many values of it. */
  nodes: number;
}

/**
 * Cuts a JSON array of objects into its objects while its bytes arrive, so that each is parsed by itself, within bounds.
 * Whether an object is JSON is for its parser to find out.
 */
export class RowSplitter {
  readonly #check: (size: RowSize) => void;
  #depth = 0;
  #begun = false;
  #ended = false;
  /** Whether an object may follow; only before the first may the array end as well. */
  #open: 'first' | 'next' | undefined;
  #inText = false;
  #escaped = false;
  /** Pieces of the object that is not whole yet. */
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #nodes = 0;

  /** @param check throws where an object is too large, before it is whole */
  constructor(check: (size: RowSize) => void) {
    this.#check = check;
  }

  /**
   * Takes the next bytes.
   * @returns the objects that have ended
   * @throws Fault `bad_gateway` for anything but an array of objects; what `check` throws
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const rows: Uint8Array[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      if (this.#inText) {
        i = this.#endOfText(chunk, i);
        continue;
      }
      const byte = chunk[i]!;
      if (byte === QUOTE && this.#depth > 0) this.#inText = true;
      else if (this.#depth === 0) {
        start = i;
        this.#between(byte);
      } else if (byte === COMMA) this.#nodes++;
      else if (byte === OBJECT || byte === ARRAY) this.#deeper();
      else if ((byte === OBJECT_END || byte === ARRAY_END) && --this.#depth === 0) {
        rows.push(this.#whole(chunk.subarray(start, i + 1)));
        start = i + 1;
      }
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(start));
    return rows;
  }

  /** @throws Fault `bad_gateway` where the array has not ended */
  end(): void {
    if (!this.#ended) throw nonsense();
  }

  /**
   * Reads on in a text: from quote to quote, since texts may be long.
   * @returns where it ends; the length of the chunk where it goes on in the next
   */
  #endOfText(chunk: Uint8Array, from: number): number {
    const start = this.#escaped ? from + 1 : from;
    for (let at = start; ;) {
      const quote = chunk.indexOf(QUOTE, at);
      const end = quote < 0 ? chunk.length : quote;
      let escapes = 0;
      while (end - escapes > start && chunk[end - escapes - 1] === ESCAPE) escapes++;
      this.#escaped = escapes % 2 === 1;
      if (quote < 0) return end;
      if (!this.#escaped) {
        this.#inText = false;
        return end;
      }
      this.#escaped = false;
      at = end + 1;
    }
  }

  /** A byte that belongs to no object. */
  #between(byte: number): void {
    if (SPACE.has(byte)) return;
    if (byte === ARRAY && !this.#begun) [this.#begun, this.#open] = [true, 'first'];
    else if (!this.#begun || this.#ended) throw nonsense();
    else if (byte === OBJECT && this.#open) [this.#depth, this.#open] = [1, undefined];
    else if (byte === COMMA && !this.#open) this.#open = 'next';
    else if (byte === ARRAY_END && this.#open !== 'next') this.#ended = true;
    else throw nonsense();
  }

  #deeper(): void {
    this.#nodes++;
    if (++this.#depth > MAX_DEPTH) throw nonsense();
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length;
    this.#check({ bytes: this.#bytes, nodes: this.#nodes });
    if (part.length > 0) this.#parts.push(part);
  }

  #whole(last: Uint8Array): Uint8Array {
    this.#keep(last);
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    [this.#bytes, this.#nodes] = [0, 0];
    return whole;
  }
}
