import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { DamagedFile } from '../../dicom/part10/bytes.ts';

/** What every codec of Emscripten has. */
export interface WasmModule {
  HEAPU8: Uint8Array;
}

/** An object on the codec's own heap; embind frees it when it is told to, never by itself. */
export interface WasmObject {
  delete(): void;
}

type Factory<M> = (options: object) => Promise<M>;

/** Bytes of heap beyond which an instance is given up after use: WebAssembly memory never shrinks. */
const MAX_HEAP = 64 * 1024 * 1024;

const require = createRequire(import.meta.url);

/**
 * A codec in WebAssembly. It is loaded when first used and kept in its thread; an instance in which anything failed
 * (a C++ exception leaks, an abort leaves the heap in pieces) is given up, and the next use starts with a new one.
 */
export class WasmCodec<M extends WasmModule> {
  readonly #script: string;
  readonly #binary: string;
  #compiled: WebAssembly.Module | undefined;
  #loading: Promise<M> | undefined;

  /**
   * @param script specifier of the Emscripten loader
   * @param binary specifier of its `.wasm`
   */
  constructor(script: string, binary: string) {
    this.#script = script;
    this.#binary = binary;
  }

  /**
   * @param work uses the codec; what it returns must not point into its heap
   * @throws {DamagedFile} of `work` as it is; whatever else is thrown, as one that says `failed`
   */
  async run<T>(failed: string, work: (codec: M) => T): Promise<T> {
    const codec = await (this.#loading ??= this.#load());
    try {
      const result = work(codec);
      if (codec.HEAPU8.length > MAX_HEAP) this.#loading = undefined;
      return result;
    } catch (cause) {
      this.#loading = undefined;
      throw cause instanceof DamagedFile ? cause : new DamagedFile(failed, { cause });
    }
  }

  #load(): Promise<M> {
    const factory = require(this.#script) as Factory<M>;
    this.#compiled ??= new WebAssembly.Module(readFileSync(require.resolve(this.#binary)));
    const compiled = this.#compiled;
    return factory({
      instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
        const instance = new WebAssembly.Instance(compiled, imports);
        done(instance);
        return instance.exports;
      },
      // Their complaints come back as errors; nothing is printed.
      print: () => undefined,
      printErr: () => undefined,
    });
  }
}

/** A copy of bytes that a codec's heap holds, as words of one or two bytes. */
export function copied(bytes: Uint8Array, precision: number): Uint8Array | Uint16Array {
  // Some hand out clamped arrays.
  const copy = new Uint8Array(bytes);
  return precision <= 8 ? copy : new Uint16Array(copy.buffer, 0, copy.length >> 1);
}
