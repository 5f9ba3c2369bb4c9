import { DamagedFile } from '../../dicom/part10/bytes.ts';
import { frameInfo, type FrameInfo } from './encoding.ts';
import type { DecodedFrame, Samples } from './decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { checkSize, interleave, type StreamSamples } from './samples.ts';
import { readFrameHeader } from './jpeg-header.ts';
import { copied, WasmCodec, type WasmModule, type WasmObject } from './wasm.ts';

interface Decoder extends WasmObject {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getInterleaveMode(): { value: number } | number;
}

interface Encoder extends WasmObject {
  getDecodedBuffer(info: FrameInfo): Uint8Array;
  setNearLossless(loss: number): void;
  setInterleaveMode(mode: unknown): void;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
}

interface CharLs extends WasmModule {
  JpegLSDecoder: new () => Decoder;
  JpegLSEncoder: new () => Encoder;
}

const charls = new WasmCodec<CharLs>(
  '@cornerstonejs/codec-charls/wasmjs',
  '@cornerstonejs/codec-charls/wasm',
);

/** Interleave modes, ISO 14495-1 §C.2.3: components by plane, by line (1) or by sample. */
const PLANES = 0;
const SAMPLES = 2;

/** Decodes JPEG-LS, lossless and near-lossless, PS3.5 §A.4.3. */
export async function decodeJpegLs(encoded: Uint8Array, pixels: PixelDescription): Promise<StreamSamples> {
  const header = readFrameHeader(encoded);
  if (header.process !== 0xf7) throw new DamagedFile('The frame is no JPEG-LS stream.');
  checkSize(header, pixels);
  return charls.run('The JPEG-LS frame cannot be decoded.', (codec) => {
    const decoder = new codec.JpegLSDecoder();
    // An extra end marker: at the end of an incomplete stream the decoder would invent bits for many seconds.
    const stream = decoder.getEncodedBuffer(encoded.length + 2);
    stream.set(encoded);
    stream.set([0xff, 0xd9], encoded.length);
    decoder.decode();
    const data = copied(decoder.getDecodedBuffer(), header.precision);
    const mode = Number(decoder.getInterleaveMode());
    decoder.delete();
    const planes = mode === PLANES && pixels.samplesPerPixel > 1;
    return { data: planes ? interleave(data, pixels.samplesPerPixel) : data, precision: header.precision };
  });
}

/** Encodes JPEG-LS without loss. */
export async function encodeJpegLs(frame: DecodedFrame): Promise<Uint8Array> {
  return charls.run('The frame cannot be encoded as JPEG-LS.', (codec) => {
    const { info, bytes } = frameInfo({ ...frame, samples: withoutSign(frame) });
    const encoder = new codec.JpegLSEncoder();
    encoder.getDecodedBuffer(info).set(bytes);
    encoder.setNearLossless(0);
    encoder.setInterleaveMode(frame.samplesPerPixel > 1 ? SAMPLES : PLANES);
    encoder.encode();
    // A copy, because the codec returns a clamped array.
    const encoded = new Uint8Array(encoder.getEncodedBuffer());
    encoder.delete();
    return encoded;
  });
}

/** Returns the stored bits as unsigned numbers, because JPEG-LS has no negative ones. */
function withoutSign({ samples, signed, bitsStored }: DecodedFrame): Samples {
  if (!signed || samples.BYTES_PER_ELEMENT > 2) return samples;
  const mask = (1 << bitsStored) - 1;
  return (samples as Int16Array).map((value) => value & mask);
}
