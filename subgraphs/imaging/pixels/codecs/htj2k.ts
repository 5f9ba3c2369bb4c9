import type { DecodedFrame } from './decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { decodeStream, encodeStream, type WasmDecoder, type WasmEncoder } from './jpeg-2000.ts';
import type { StreamSamples } from './samples.ts';
import { WasmCodec, type WasmModule } from './wasm.ts';

interface OpenJph extends WasmModule {
  HTJ2KDecoder: new () => WasmDecoder;
  HTJ2KEncoder: new () => WasmEncoder;
}

const openjph = new WasmCodec<OpenJph>(
  '@cornerstonejs/codec-openjph/wasmjs',
  '@cornerstonejs/codec-openjph/wasm',
);

/** Decodes High-Throughput JPEG 2000, PS3.5 §A.4.12 (ISO 15444-15). */
export async function decodeHtj2k(encoded: Uint8Array, pixels: PixelDescription): Promise<StreamSamples> {
  return openjph.run('The HTJ2K frame cannot be decoded.', (codec) =>
    decodeStream(new codec.HTJ2KDecoder(), encoded, pixels),
  );
}

/** Encodes HTJ2K without loss. */
export async function encodeHtj2k(frame: DecodedFrame): Promise<Uint8Array> {
  return openjph.run('The frame cannot be encoded as HTJ2K.', (codec) =>
    encodeStream(new codec.HTJ2KEncoder(), frame),
  );
}
