/** Draws the first image of the page, in full quality, before the engine is there. */
import type { FrameBytes } from '../../data/source.ts';
import { number } from '../../domain/instance.ts';
import type { StackFrame } from '../../domain/stacks.ts';
import type { Window } from '../port.ts';
import { greyImage, isPlainGrey, type Picture } from './grey-image.ts';
import { decodeHtj2k, startHtj2k } from './htj2k.ts';

/** Implicit, explicit and deflated little endian: the order of bytes of all machines that browsers run on. */
const LITTLE_ENDIAN = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.1.99'];
const HTJ2K = /^1\.2\.840\.10008\.1\.2\.4\.20[123]$/;

/** Returns false for a frame that waits for the engine. */
export const canDraw = ({ metadata }: StackFrame, window?: Window): boolean => isPlainGrey(metadata, window);

/** Loads what frames in a transfer syntax need, while they are on their way. */
export function prepare(transferSyntax: string): void {
  if (HTJ2K.test(transferSyntax)) startHtj2k();
}

/**
 * Draws a frame for which `canDraw` is true.
 * @param window in place of the image's own
 * @returns undefined for a frame that this cannot decode: the engine can, or says why not
 */
export async function drawFirst(
  { metadata }: StackFrame,
  { bytes, transferSyntax }: FrameBytes,
  window?: Window,
): Promise<Picture | undefined> {
  const [columns, rows] = [number(metadata, '00280011')!, number(metadata, '00280010')!];
  let values: ArrayLike<number> | undefined;
  if (LITTLE_ENDIAN.includes(transferSyntax)) values = plainValues(bytes, metadata);
  else if (HTJ2K.test(transferSyntax)) values = await decodeHtj2k({ bytes, columns, rows });
  return values && greyImage(values, metadata, window);
}

function plainValues(
  { buffer, byteOffset, byteLength }: Uint8Array,
  metadata: StackFrame['metadata'],
): ArrayLike<number> {
  const isSigned = number(metadata, '00280103') === 1;
  if (number(metadata, '00280100') === 8)
    return isSigned
      ? new Int8Array(buffer, byteOffset, byteLength)
      : new Uint8Array(buffer, byteOffset, byteLength);
  const length = byteLength >> 1;
  return isSigned ? new Int16Array(buffer, byteOffset, length) : new Uint16Array(buffer, byteOffset, length);
}
