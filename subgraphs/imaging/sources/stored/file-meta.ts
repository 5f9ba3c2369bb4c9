import { DICOM, UID } from '../../../../schema/dicom/dicom.ts';
import { peek } from '../../multipart/peek.ts';

/** File Meta Information at the start of a Part 10 stream, PS3.10 §7.1: read without reading the rest. */

export interface FileMeta {
  /** (0002,0003) */
  sopInstanceUid?: string;
  /** (0002,0010) */
  transferSyntax?: string;
}

/** More than any File Meta Information needs: what has none by then is not Part 10. */
const LIMIT = 16 * 1024;
const LONG_VR = /^(OB|OW|OF|OD|OL|OV|SQ|UC|UN|UR|UT|SV|UV)$/;

/**
 * The File Meta Information in these bytes; undefined where it goes on beyond them.
 * Bytes that are not Part 10 give an empty one.
 */
export function fileMeta(bytes: Buffer): FileMeta | undefined {
  const more = () => (bytes.length < LIMIT ? undefined : {});
  if (bytes.length < 132 + 12) return more();
  if (bytes.toString('latin1', 128, 132) !== 'DICM') return {};
  const meta: FileMeta = {};
  for (let at = 132; ;) {
    if (at + 12 > bytes.length) return more();
    if (bytes.readUInt16LE(at) !== 0x0002) return meta;
    const long = LONG_VR.test(bytes.toString('latin1', at + 4, at + 6));
    const length = long ? bytes.readUInt32LE(at + 8) : bytes.readUInt16LE(at + 6);
    const start = at + (long ? 12 : 8);
    if (start + length > bytes.length) return more();
    const element = bytes.readUInt16LE(at + 2);
    const value = bytes.toString('latin1', start, start + Math.min(length, 66)).replace(/[\0 ]+$/, '');
    // Both go into headers of ours.
    if (element === 0x0003 && UID.test(value)) meta.sopInstanceUid = value;
    if (element === 0x0010 && UID.test(value)) meta.transferSyntax = value;
    at = start + length;
  }
}

/** A Content-Type with the transfer syntax, where that is known (PS3.18 §8.7.3.5). */
export function typeWith(mediaType: string, transferSyntax: string | undefined): string {
  return transferSyntax ? `${mediaType}; transfer-syntax=${transferSyntax}` : mediaType;
}

/** The Content-Type of a Part 10 object. */
export function objectType({ transferSyntax }: FileMeta): string {
  return typeWith(DICOM, transferSyntax);
}

/**
 * The same by the object's first bytes.
 * @param whole whether they are all
 * @returns undefined where it takes more of them
 */
export function objectTypeOf(bytes: Buffer, whole: boolean): string | undefined {
  const meta = fileMeta(bytes) ?? (whole ? {} : undefined);
  return meta && objectType(meta);
}

/**
 * Reads as far as the File Meta Information goes.
 * @returns it, and all of the bytes again
 */
export async function peekFileMeta(
  body: AsyncGenerator<Buffer, void, void>,
): Promise<{ meta: FileMeta; bytes: AsyncGenerator<Buffer, void, void> }> {
  const { found = {}, bytes } = await peek(body, fileMeta, Infinity);
  return { meta: found, bytes };
}
