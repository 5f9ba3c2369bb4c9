import { DamagedFile } from '../../dicom/part10/bytes.ts';
import { readCodestream, setSigned } from './codestream.ts';
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
    encodeStream(new codec.J2KEncoder(), frame, { decompositions: Math.min(5, halvings(frame)) }),
  );
}

/** Returns how often the shorter side can be halved. OpenJPEG refuses more decompositions. */
export function halvings({ rows, columns }: DecodedFrame): number {
  return Math.floor(Math.log2(Math.min(rows, columns)));
}

/**
 * Decodes a codestream after checking it. The decoders of OpenJPEG and OpenJPH have the same interface. Both clip negative
 * samples of eight bits and fewer, so that they are given as unsigned ones.
 */
export function decodeStream(
  decoder: WasmDecoder,
  encoded: Uint8Array,
  pixels: PixelDescription,
): StreamSamples {
  const { bytes, precision, signed, colourTransform } = readCodestream(encoded, pixels);
  const stream = decoder.getEncodedBuffer(bytes.length);
  stream.set(bytes);
  if (signed) setSigned(stream, false, pixels.samplesPerPixel);
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
  if (signed) flipHighestBit(data, precision);
  return {
    data,
    precision,
    ...(colourTransform && samplesPerPixel === 3 && { photometricInterpretation: 'RGB' }),
  };
}

/**
 * Encodes without loss. Samples with a sign are given to the encoders as unsigned ones, because both take negative ones of
 * eight bits and fewer as large ones.
 * @param options how often the image is halved, and whether the encoder must be told to transform RGB
 */
export function encodeStream(
  encoder: WasmEncoder,
  frame: DecodedFrame,
  { decompositions, colourTransform = false }: { decompositions: number; colourTransform?: boolean },
): Uint8Array {
  const { signed, samplesPerPixel, bitsStored } = frame;
  // Their wrappers mix up the components of words.
  if (samplesPerPixel > 1 && bitsStored > 8)
    throw new DamagedFile('Colours of more than 8 bits cannot be compressed here.');
  const { info, bytes } = frameInfo(signed ? offset(frame) : frame, colourTransform);
  encoder.getDecodedBuffer(info).set(bytes);
  encoder.setQuality(true, 0);
  encoder.setDecompositions(decompositions);
  encoder.encode();
  const encoded = encoder.getEncodedBuffer().slice();
  encoder.delete();
  if (signed) setSigned(encoded, true, samplesPerPixel);
  return encoded;
}

/** Returns signed samples as unsigned ones, the lowest as 0. */
function offset(frame: DecodedFrame): DecodedFrame {
  const { samples, bitsStored } = frame;
  const Words = samples.BYTES_PER_ELEMENT === 1 ? Uint8Array : Uint16Array;
  const unsigned = new Words(samples.length);
  const half = 2 ** (bitsStored - 1);
  for (let i = 0; i < samples.length; i++) unsigned[i] = samples[i]! + half;
  return { ...frame, signed: false, samples: unsigned };
}

/** Changes numbers with an offset of half their range to two's complement, in place. */
function flipHighestBit(data: Uint8Array | Uint16Array, precision: number): void {
  const half = 1 << (precision - 1);
  for (let i = 0; i < data.length; i++) data[i]! ^= half;
}
