import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { DamagedFile } from '../../dicom/part10/bytes.ts';

/** Members of every Emscripten codec. */
export interface WasmModule {
  HEAPU8: Uint8Array;
}

/** An object on the heap of a codec. Embind frees it only with `delete`. */
export interface WasmObject {
  delete(): void;
}

type Factory<M> = (options: object) => Promise<M>;

/** Bytes of heap above which an instance is discarded after use, because WebAssembly memory never shrinks. */
const MAX_HEAP = 64 * 1024 * 1024;

const require = createRequire(import.meta.url);

/**
 * A codec in WebAssembly. It is loaded at its first use and kept in its thread. After any failure the instance is
 * discarded, because a C++ exception leaks memory and an abort damages the heap. The next use loads a new instance.
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
   * Runs work with the codec.
   * @param failed message for errors of the codec
   * @param work its result must not refer to the heap of the codec
   * @throws {DamagedFile} from `work`, or with the message `failed` for any other error
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
      // Prints nothing, because failures are thrown as errors.
      print: () => undefined,
      printErr: () => undefined,
    });
  }
}

/** Copies bytes of a codec's heap, as words of one or two bytes. */
export function copied(bytes: Uint8Array, precision: number): Uint8Array | Uint16Array {
  // Some codecs return clamped arrays.
  const copy = new Uint8Array(bytes);
  return precision <= 8 ? copy : new Uint16Array(copy.buffer, 0, copy.length >> 1);
}
