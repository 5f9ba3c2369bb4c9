import { inMemory, type FrameBytes } from '../multipart/frame-bytes.ts';

/**
 * Packs frames of one bit a pixel as native pixel data: each frame starts at the bit after the last frame
 * (PS3.5 §8.1.1).
 * @param frames each starts at a byte, and has zero bits after its last pixel
 */
export async function* packFrames(
  frames: AsyncIterable<FrameBytes>,
  bitsPerFrame: number,
): AsyncGenerator<Uint8Array> {
  /** Number of bits of the last byte, which waits for the next frame. */
  let held = 0;
  let carry = 0;
  for await (const each of frames) {
    const frame = await inMemory(each);
    const packed = new Uint8Array(Math.ceil((held + bitsPerFrame) / 8));
    packed[0] = carry;
    for (let i = 0; i < frame.length; i++) {
      const bits = frame[i]! << held;
      packed[i]! |= bits & 0xff;
      if (i + 1 < packed.length) packed[i + 1]! |= bits >> 8;
    }
    held = (held + bitsPerFrame) % 8;
    carry = held === 0 ? 0 : packed[packed.length - 1]!;
    yield held === 0 ? packed : packed.subarray(0, packed.length - 1);
  }
  if (held > 0) yield Uint8Array.of(carry);
}
