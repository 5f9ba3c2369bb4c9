/** Draws the first image of the page, in full quality, before the engine is there. */
import type { FrameBytes } from '../../data/source.ts';
import { number, type Instance } from '../../domain/instance.ts';
import type { StackFrame } from '../../domain/series/stacks.ts';
import type { Window } from '../port.ts';
import { greyImage, isPlainGrey, type Picture } from './grey-image.ts';
import { Htj2kDecoder } from './htj2k.ts';

/** Implicit, explicit and deflated little endian: the order of bytes of all machines that browsers run on. */
const LITTLE_ENDIAN = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.1.99'];
const HTJ2K = /^1\.2\.840\.10008\.1\.2\.4\.20[123]$/;

/** Draws one frame. Its creator closes it. */
export class FirstDrawing {
  /** False for a frame that waits for the engine. */
  readonly isPossible: boolean;
  readonly #metadata: Instance;
  readonly #window: Window | undefined;
  #decoder: Htj2kDecoder | undefined;

  /** @param window in place of the image's own */
  constructor({ metadata }: StackFrame, window?: Window) {
    this.isPossible = isPlainGrey(metadata, window);
    this.#metadata = metadata;
    this.#window = window;
  }

  /** Loads what a frame in a transfer syntax needs, while it is on its way. */
  prepare(transferSyntax: string | undefined): void {
    if (this.isPossible && HTJ2K.test(transferSyntax ?? '')) this.#decoder ??= new Htj2kDecoder();
  }

  /** @returns undefined for a frame that this cannot decode: the engine can, or says why not */
  async draw(frame: FrameBytes): Promise<Picture | undefined> {
    if (!this.isPossible) return undefined;
    this.prepare(frame.transferSyntax);
    const values = await this.#valuesOf(frame);
    return values && greyImage(values, this.#metadata, this.#window);
  }

  close(): void {
    this.#decoder?.close();
  }

  #valuesOf({
    bytes,
    transferSyntax,
  }: FrameBytes): Promise<ArrayLike<number> | undefined> | ArrayLike<number> | undefined {
    if (LITTLE_ENDIAN.includes(transferSyntax)) return plainValues(bytes, this.#metadata);
    if (!HTJ2K.test(transferSyntax)) return undefined;
    const [columns, rows] = [number(this.#metadata, '00280011')!, number(this.#metadata, '00280010')!];
    return this.#decoder?.decode({ bytes, columns, rows });
  }
}

function plainValues({ buffer, byteOffset, byteLength }: Uint8Array, metadata: Instance): ArrayLike<number> {
  const isSigned = number(metadata, '00280103') === 1;
  if (number(metadata, '00280100') === 8)
    return isSigned
      ? new Int8Array(buffer, byteOffset, byteLength)
      : new Uint8Array(buffer, byteOffset, byteLength);
  const length = byteLength >> 1;
  return isSigned ? new Int16Array(buffer, byteOffset, length) : new Uint16Array(buffer, byteOffset, length);
}
