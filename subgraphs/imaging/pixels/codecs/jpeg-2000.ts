import { readCodestream } from './codestream.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { frameInfo, type FrameInfo } from './encoding.ts';
import { checkSize, type StreamSamples } from './samples.ts';
import { copied, WasmCodec, type WasmModule, type WasmObject } from './wasm.ts';

export interface WasmDecoder extends WasmObject {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): FrameInfo;
}

export interface WasmEncoder extends WasmObject {
  getDecodedBuffer(info: FrameInfo): Uint8Array;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
  setQuality(lossless: boolean, quality: number): void;
  setDecompositions(levels: number): void;
}

interface OpenJpeg extends WasmModule {
  J2KDecoder: new () => WasmDecoder;
  J2KEncoder: new () => WasmEncoder;
}

const openjpeg = new WasmCodec<OpenJpeg>(
  '@cornerstonejs/codec-openjpeg/wasmjs',
  '@cornerstonejs/codec-openjpeg/wasm',
);

/** Decodes JPEG 2000, PS3.5 §A.4.4 (ISO 15444-1). Reverses a colour transform, so that the samples are then RGB. */
export async function decodeJpeg2000(encoded: Uint8Array, pixels: PixelDescription): Promise<StreamSamples> {
  return openjpeg.run('The JPEG 2000 frame cannot be decoded.', (codec) =>
    decodeStream(new codec.J2KDecoder(), encoded, pixels),
  );
}

/** Encodes JPEG 2000 without loss. The encoder always transforms three components, which must be RGB, to YBR_RCT. */
export async function encodeJpeg2000(frame: DecodedFrame): Promise<Uint8Array> {
  return openjpeg.run('The frame cannot be encoded as JPEG 2000.', (codec) =>
    encodeStream(new codec.J2KEncoder(), frame),
  );
}

/** Decodes a codestream after checking it. The decoders of OpenJPEG and OpenJPH have the same interface. */
export function decodeStream(
  decoder: WasmDecoder,
  encoded: Uint8Array,
  pixels: PixelDescription,
): StreamSamples {
  const { bytes, precision, colourTransform } = readCodestream(encoded, pixels);
  decoder.getEncodedBuffer(bytes.length).set(bytes);
  decoder.decode();
  const {
    width: columns,
    height: rows,
    componentCount: samplesPerPixel,
    bitsPerSample,
  } = decoder.getFrameInfo();
  checkSize({ rows, columns, samplesPerPixel, precision: bitsPerSample }, pixels);
  const data = copied(decoder.getDecodedBuffer(), precision);
  decoder.delete();
  return {
    data,
    precision,
    ...(colourTransform && samplesPerPixel === 3 && { photometricInterpretation: 'RGB' }),
  };
}

/** Encodes without loss. */
export function encodeStream(encoder: WasmEncoder, frame: DecodedFrame): Uint8Array {
  const { info, bytes } = frameInfo(frame);
  encoder.getDecodedBuffer(info).set(bytes);
  encoder.setQuality(true, 0);
  // OpenJPEG refuses more decompositions than the shorter side can be halved.
  encoder.setDecompositions(Math.min(5, Math.floor(Math.log2(Math.min(info.width, info.height)))));
  encoder.encode();
  const encoded = encoder.getEncodedBuffer().slice();
  encoder.delete();
  return encoded;
}
