import { invalidAnswer } from './archive-faults.ts';

const [QUOTE, ESCAPE, COMMA] = [0x22, 0x5c, 0x2c];
const [ARRAY, ARRAY_END, OBJECT, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Nesting of objects and arrays: three for each of at most 64 levels of sequences. */
const MAX_DEPTH = 200;

/** Size of the part of an object that has arrived. */
export interface RowSize {
  bytes: number;
  /** Objects, arrays and commas: about the number of values that a parser makes. */
  nodes: number;
}

/**
 * Splits a JSON array into its objects while its bytes arrive, so that each is parsed separately and within limits.
 * It does not check that an object is valid JSON.
 */
export class RowSplitter {
  readonly #check: (size: RowSize) => void;
  #depth = 0;
  #begun = false;
  #ended = false;
  /** Set when an object may follow. The array may also end before the first, but not after a comma. */
  #open: 'first' | 'next' | undefined;
  #inText = false;
  #escaped = false;
  /** Pieces of the incomplete object. */
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #nodes = 0;

  /** @param check throws when an object is too large, before it is complete */
  constructor(check: (size: RowSize) => void) {
    this.#check = check;
  }

  /**
   * Reads the next bytes.
   * @returns the objects that are now complete
   * @throws Fault `bad_gateway` for anything but an array of objects; errors of `check`
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

  /** Checks that the array has ended. @throws Fault `bad_gateway` when it has not */
  end(): void {
    if (!this.#ended) throw this.#begun ? invalidAnswer(new Error('the list has no end')) : notRows();
  }

  /**
   * Finds the end of a text. Searches from quote to quote, because texts may be long.
   * @returns index of its end; the length of the chunk if it continues in the next
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

  /** Reads a byte between objects. */
  #between(byte: number): void {
    if (SPACE.has(byte)) return;
    if (byte === ARRAY && !this.#begun) [this.#begun, this.#open] = [true, 'first'];
    else if (!this.#begun || this.#ended) throw notRows();
    else if (byte === OBJECT && this.#open) [this.#depth, this.#open] = [1, undefined];
    else if (byte === COMMA && !this.#open) this.#open = 'next';
    else if (byte === ARRAY_END && this.#open !== 'next') this.#ended = true;
    else throw notRows();
  }

  #deeper(): void {
    this.#nodes++;
    if (++this.#depth > MAX_DEPTH) throw invalidAnswer();
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

const notRows = () =>
  invalidAnswer(
    new Error('no list of DICOM JSON objects; images.endpoint may not be the root of a DICOMweb server'),
  );
