/** Decodes grey frames in HTJ2K, apart from the page. */
import load from '@cornerstonejs/codec-openjph/wasmjs';
import type { Htj2kAnswer, Htj2kFrame } from './htj2k.ts';

const wasm = new URL('@cornerstonejs/codec-openjph/wasm', import.meta.url).href;
const codec = load({ locateFile: () => wasm });

self.onmessage = ({ data }: MessageEvent<Htj2kFrame>) => {
  void decode(data)
    .catch(() => undefined)
    .then((values) => self.postMessage({ values } satisfies Htj2kAnswer));
};

async function decode({ bytes, columns, rows }: Htj2kFrame): Promise<Htj2kAnswer['values']> {
  const { HTJ2KDecoder } = await codec;
  const decoder = new HTJ2KDecoder();
  decoder.getEncodedBuffer(bytes.length).set(bytes);
  decoder.decode();
  const { width, height, componentCount, bitsPerSample, isSigned } = decoder.getFrameInfo();
  if (width !== columns || height !== rows || componentCount !== 1) return undefined;
  const { buffer } = decoder.getDecodedBuffer().slice();
  if (bitsPerSample <= 8) return isSigned ? new Int8Array(buffer) : new Uint8Array(buffer);
  return isSigned ? new Int16Array(buffer) : new Uint16Array(buffer);
}
