import { DICOM, UID } from '../../../../schema/dicom/dicom.ts';
import { peek } from '../../multipart/peek.ts';

/** Reads File Meta Information at the start of a Part 10 stream, PS3.10 §7.1, without reading the rest. */

export interface FileMeta {
  /** (0002,0003) */
  sopInstanceUid?: string;
  /** (0002,0010) */
  transferSyntax?: string;
}

/** Bytes in which File Meta Information must be found. It never needs as many. */
const LIMIT = 16 * 1024;
const LONG_VR = /^(OB|OW|OF|OD|OL|OV|SQ|UC|UN|UR|UT|SV|UV)$/;

/**
 * Returns the File Meta Information in these bytes; undefined when it continues after them.
 * Bytes that are not Part 10 have an empty one.
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
    // Checked, because both go into headers of the gateway's answers.
    if (element === 0x0003 && UID.test(value)) meta.sopInstanceUid = value;
    if (element === 0x0010 && UID.test(value)) meta.transferSyntax = value;
    at = start + length;
  }
}

/** Returns a Content-Type with the transfer syntax, if it is known (PS3.18 §8.7.3.5). */
export function typeWith(mediaType: string, transferSyntax: string | undefined): string {
  return transferSyntax ? `${mediaType}; transfer-syntax=${transferSyntax}` : mediaType;
}

/** Returns the Content-Type of a Part 10 object. */
export function objectType({ transferSyntax }: FileMeta): string {
  return typeWith(DICOM, transferSyntax);
}

/**
 * Returns the Content-Type of a Part 10 object from its first bytes.
 * @param whole true if these are all bytes
 * @returns undefined when more bytes are needed
 */
export function objectTypeOf(bytes: Buffer, whole: boolean): string | undefined {
  const meta = fileMeta(bytes) ?? (whole ? {} : undefined);
  return meta && objectType(meta);
}

/**
 * Reads a body up to the end of its File Meta Information.
 * @returns the File Meta Information, and all bytes of the body
 */
export async function peekFileMeta(
  body: AsyncGenerator<Buffer, void, void>,
): Promise<{ meta: FileMeta; bytes: AsyncGenerator<Buffer, void, void> }> {
  const { found = {}, bytes } = await peek(body, fileMeta, Infinity);
  return { meta: found, bytes };
}
