/** Videos whose pictures say their number, coded by the browser itself. */
import type { Access } from '../setup/transport-stream.ts';

const SIZE = { width: 128, height: 96 };
/** Bits of the number, each a stripe from left to right. */
const BITS = 8;
const RATE = 25;

/** Paints a number as white and black stripes. */
function paint(context: OffscreenCanvasRenderingContext2D, number: number): void {
  for (let bit = 0; bit < BITS; bit++) {
    context.fillStyle = (number >> bit) & 1 ? '#fff' : '#000';
    context.fillRect((bit * SIZE.width) / BITS, 0, SIZE.width / BITS, SIZE.height);
  }
}

/** Reads the number that a picture says. */
export function numberOf(picture: HTMLCanvasElement): number {
  const context = picture.getContext('2d')!;
  const stripe = picture.width / BITS;
  return Array.from({ length: BITS }, (_, bit) =>
    context.getImageData(Math.floor((bit + 0.5) * stripe), picture.height >> 1, 1, 1).data[0]! > 127
      ? 1 << bit
      : 0,
  ).reduce((sum, one) => sum + one, 0);
}

/** Codes pictures 0 to `count` - 1 in H.264, a key picture each ten. @returns access units behind start codes, 25 a second */
export async function encodedVideo(count: number): Promise<Access[]> {
  const canvas = new OffscreenCanvas(SIZE.width, SIZE.height);
  const context = canvas.getContext('2d')!;
  const units: Access[] = [];
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      const time = Math.round((chunk.timestamp * 90_000) / 1e6);
      units.push({ bytes, shown: time, decoded: time });
    },
    error: (error) => {
      throw error;
    },
  });
  encoder.configure({
    codec: 'avc1.42E01E',
    ...SIZE,
    framerate: RATE,
    bitrate: 1_000_000,
    avc: { format: 'annexb' },
  });
  for (let number = 0; number < count; number++) {
    paint(context, number);
    const frame = new VideoFrame(canvas, { timestamp: Math.round((number * 1e6) / RATE) });
    encoder.encode(frame, { keyFrame: number % 10 === 0 });
    frame.close();
  }
  await encoder.flush();
  encoder.close();
  return units;
}
