/**
 * The encrypted container of a take-along package: bytes in parts, and an index that says what is where. Each part is sealed by
 * AES-256-GCM with its number, and whether it is the last, as additional data: none can be changed, cut off, swapped, or come
 * from another package. The key comes from the passcode by PBKDF2 (RFC 8018 §5.2).
 */
import { base64, base64Bytes } from '../documents/inline-bytes.ts';

const PART_BYTES = 8 * 1024 * 1024;
/** Rounds of PBKDF2 with SHA-256. */
const ROUNDS = 600_000;
/** Characters of a passcode: who has the file can try as many as they want. */
export const SHORTEST_PASSCODE = 10;
/** Bytes after the index, which say how long it is. */
const END = 4;

type Bytes = Uint8Array<ArrayBuffer>;

/** The part of a package that is in the clear. Binary values are base64, here and in parts. */
export interface PackageHead {
  salt: string;
  /** Number of parts. */
  parts: number;
}

export interface SealedPart {
  iv: string;
  data: string;
}

/** Bytes of the container: the first, and how many. */
export type Range = readonly [at: number, length: number];

/** Why a package is not opened. `absent`: a part is not where it belongs, as where a zip file is not unpacked. */
export class PackageFault extends Error {
  readonly kind: 'passcode' | 'absent' | 'damaged';

  constructor(kind: PackageFault['kind'], options?: ErrorOptions) {
    super(`the package is not opened: ${kind}`, options);
    this.kind = kind;
  }
}

/** Seals what is added, part by part, as it comes. */
export class PackageWriter {
  readonly salt: string;
  readonly #key: CryptoKey;
  readonly #partBytes: number;
  readonly #part: Bytes;
  #filled = 0;
  /** Parts that were sealed. */
  #sealed = 0;

  private constructor(salt: string, key: CryptoKey, partBytes: number) {
    this.salt = salt;
    this.#key = key;
    this.#partBytes = partBytes;
    this.#part = new Uint8Array(partBytes);
  }

  static async begin(passcode: string, partBytes = PART_BYTES): Promise<PackageWriter> {
    const salt = base64(crypto.getRandomValues(new Uint8Array(16)));
    return new PackageWriter(salt, await keyOf(passcode, salt), partBytes);
  }

  /** Bytes so far. */
  get length(): number {
    return this.#sealed * this.#partBytes + this.#filled;
  }

  /** Adds bytes. @returns the parts that are full; the last one is kept, since another may follow it */
  async *add(bytes: Uint8Array): AsyncGenerator<SealedPart> {
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === this.#partBytes) yield this.#seal(false);
      const some = bytes.subarray(at, at + this.#partBytes - this.#filled);
      this.#part.set(some, this.#filled);
      this.#filled += some.length;
      at += some.length;
    }
  }

  /** Adds the index, and ends the package. @returns the other parts */
  async *end(index: unknown): AsyncGenerator<SealedPart> {
    const text = new TextEncoder().encode(JSON.stringify(index));
    yield* this.add(text);
    const length = new Uint8Array(END);
    new DataView(length.buffer).setUint32(0, text.length);
    yield* this.add(length);
    yield this.#seal(true);
  }

  async #seal(isLast: boolean): Promise<SealedPart> {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const how = howOf(iv, this.#sealed, isLast);
    const data = await crypto.subtle.encrypt(how, this.#key, this.#part.subarray(0, this.#filled));
    this.#sealed++;
    this.#filled = 0;
    return { iv: base64(iv), data: base64(new Uint8Array(data)) };
  }
}

/** A package that is open: all of its parts are there, and are as they were made. */
export class OpenedPackage<Index> {
  readonly index: Index;
  readonly #parts: readonly Bytes[];

  private constructor(parts: readonly Bytes[]) {
    this.#parts = parts;
    const all = parts.reduce((sum, { length }) => sum + length, 0);
    const end = this.read([[all - END, END]]);
    const length = new DataView(end.buffer).getUint32(0);
    const index = new TextDecoder().decode(this.read([[all - END - length, length]]));
    this.index = JSON.parse(index) as Index;
  }

  /**
   * Decrypts all parts, one after the other: with a wrong passcode the first one fails.
   * @param load returns a part by its number, from 0
   * @throws PackageFault
   */
  static async open<Index>(
    { salt, parts: count }: PackageHead,
    passcode: string,
    load: (number: number) => Promise<SealedPart>,
  ): Promise<OpenedPackage<Index>> {
    const key = await keyOf(passcode, salt);
    const parts: Bytes[] = [];
    for (let number = 0; number < count; number++) {
      const { iv, data } = await load(number);
      try {
        const how = howOf(base64Bytes(iv), number, number === count - 1);
        parts.push(new Uint8Array(await crypto.subtle.decrypt(how, key, base64Bytes(data))));
      } catch (cause) {
        throw new PackageFault(number === 0 ? 'passcode' : 'damaged', { cause });
      }
    }
    try {
      return new OpenedPackage<Index>(parts);
    } catch (cause) {
      throw new PackageFault('damaged', { cause });
    }
  }

  /** Returns the bytes of ranges, one after the other. @throws RangeError for one that the package does not have */
  read(ranges: readonly Range[]): Bytes {
    const all = new Uint8Array(ranges.reduce((sum, [, length]) => sum + length, 0));
    let filled = 0;
    const size = this.#parts[0]?.length ?? 0;
    for (const [from, length] of ranges)
      for (let at = from; at < from + length;) {
        const part = this.#parts[Math.floor(at / size)];
        const some = part?.subarray(at % size, (at % size) + from + length - at);
        if (!some?.length) throw new RangeError('beyond the end of the package');
        all.set(some, filled);
        filled += some.length;
        at += some.length;
      }
    return all;
  }
}

async function keyOf(passcode: string, salt: string): Promise<CryptoKey> {
  // As people type it on another keyboard.
  const typed = new TextEncoder().encode(passcode.trim().normalize('NFKC'));
  const secret = await crypto.subtle.importKey('raw', typed, 'PBKDF2', false, ['deriveKey']);
  const how = { name: 'PBKDF2', hash: 'SHA-256', salt: base64Bytes(salt), iterations: ROUNDS };
  return crypto.subtle.deriveKey(how, secret, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ]);
}

function howOf(iv: Bytes, number: number, isLast: boolean): AesGcmParams {
  const additionalData = new TextEncoder().encode(`part ${number}${isLast ? ', the last' : ''}`);
  return { name: 'AES-GCM', iv, additionalData, tagLength: 128 };
}
