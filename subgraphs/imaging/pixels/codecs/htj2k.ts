import { readCodestream } from './codestream.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import {
  decodeJpeg2000,
  decodeStream,
  encodeStream,
  halvings,
  type WasmDecoder,
  type WasmEncoder,
} from './jpeg-2000.ts';
import type { StreamSamples } from './samples.ts';
import { WasmCodec, type WasmModule } from './wasm.ts';

interface OpenJph extends WasmModule {
  HTJ2KDecoder: new () => WasmDecoder;
  HTJ2KEncoder: new () => Encoder;
}

interface Encoder extends WasmEncoder {
  setProgressionOrder(order: number): void;
  setTLMMarker(written: boolean): void;
  setTilePartDivisionsAtResolutions(divided: boolean): void;
}

/** Resolution, position, component, layer (ISO 15444-1 Table A.16). */
const RPCL = 2;
/** Pixels of the longer side of the lowest resolution, at most: PS3.5 §10.18 asks this of one side. */
const SMALLEST = 64;

const openjph = new WasmCodec<OpenJph>(
  '@cornerstonejs/codec-openjph/wasmjs',
  '@cornerstonejs/codec-openjph/wasm',
);

/**
 * Decodes High-Throughput JPEG 2000, PS3.5 §A.4.12 (ISO 15444-15). The wrapper of OpenJPH mixes up the lines of components
 * that are not transformed, and the components of words; OpenJPEG decodes these.
 */
export async function decodeHtj2k(encoded: Uint8Array, pixels: PixelDescription): Promise<StreamSamples> {
  if (pixels.samplesPerPixel > 1) {
    const { precision, colourTransform } = readCodestream(encoded, pixels);
    if (!colourTransform || precision > 8) return decodeJpeg2000(encoded, pixels);
  }
  return openjph.run('The HTJ2K frame cannot be decoded.', (codec) =>
    decodeStream(new codec.HTJ2KDecoder(), encoded, pixels),
  );
}

/** Encodes HTJ2K without loss: one component, or RGB of up to eight bits with the reversible colour transform. */
export async function encodeHtj2k(frame: DecodedFrame): Promise<Uint8Array> {
  return encode(frame, () => undefined, 5);
}

/**
 * Encodes HTJ2K without loss in the order RPCL, PS3.5 §10.18 (DW-25). Each resolution is one tile-part, and the marker
 * segment TLM has their lengths: a client that has the first bytes knows how many it needs for each size.
 */
export async function encodeHtj2kRpcl(frame: DecodedFrame): Promise<Uint8Array> {
  const prepare = (encoder: Encoder) => {
    encoder.setProgressionOrder(RPCL);
    encoder.setTLMMarker(true);
    encoder.setTilePartDivisionsAtResolutions(true);
  };
  const { rows, columns } = frame;
  return encode(frame, prepare, Math.max(5, Math.ceil(Math.log2(Math.max(rows, columns) / SMALLEST))));
}

function encode(
  frame: DecodedFrame,
  prepare: (encoder: Encoder) => void,
  decompositions: number,
): Promise<Uint8Array> {
  return openjph.run('The frame cannot be encoded as HTJ2K.', (codec) => {
    const encoder = new codec.HTJ2KEncoder();
    prepare(encoder);
    // Without any decomposition OpenJPH changes the lowest value.
    const levels = Math.max(1, Math.min(decompositions, halvings(frame)));
    return encodeStream(encoder, frame, {
      decompositions: levels,
      colourTransform: frame.samplesPerPixel === 3,
    });
  });
}
