/** Whether the bytes of a frame can be its pixels. */
import type { FrameBytes } from '../data/source.ts';
import { number, text } from '../domain/instance.ts';
import type { StackFrame } from '../domain/series/stacks.ts';

/** Transfer syntaxes of uncompressed pixels: implicit, explicit, deflated (the frame is not), big endian. PS3.5 §A. */
const UNCOMPRESSED = new Set([
  '1.2.840.10008.1.2',
  '1.2.840.10008.1.2.1',
  '1.2.840.10008.1.2.1.99',
  '1.2.840.10008.1.2.2',
]);

/**
 * Returns true if a frame has the length that its metadata say, with one byte of padding at most (PS3.5 §8.1.1). Of a
 * compressed frame it is known only that it has bytes.
 */
export function isFrameLength({ bytes, transferSyntax }: FrameBytes, frame: StackFrame): boolean {
  if (!UNCOMPRESSED.has(transferSyntax)) return bytes.length > 0;
  const isLength = (length: number) => bytes.length === length || bytes.length === length + (length % 2);
  // Two samples a pixel: colour is at every second pixel of a row (PS3.3 §C.7.6.3.1.2).
  const isSubsampled =
    text(frame.metadata, '00280004') === 'YBR_FULL_422' && number(frame.metadata, '00280002') === 3;
  return isLength(frame.bytes) || (isSubsampled && isLength((frame.bytes / 3) * 2));
}
