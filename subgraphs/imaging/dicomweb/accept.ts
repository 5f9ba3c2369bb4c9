import { frameMediaType, TransferSyntax, UID } from '../../../schema/dicom/dicom.ts';
import { takes, type MediaRange } from '../../../schema/http/media-ranges.ts';

/** Content negotiation of DICOMweb (PS3.18 §8.7), including what real clients send (DW-11). */

const JSON_TYPES = ['application/dicom+json', 'application/json'];

/** Returns the media type of a JSON answer; undefined for 406. */
export function negotiateJson(accept: readonly MediaRange[]): string | undefined {
  for (const range of accept) {
    const found = JSON_TYPES.find((type) => takes(range, type));
    if (found) return found;
  }
  return undefined;
}

/** A form in which stored objects can be given. */
export interface ObjectForm {
  form: 'multipart' | 'single' | 'zip';
  /** `*`: as stored. */
  transferSyntax: string;
}

/**
 * Returns the forms of DICOM objects that the client accepts, best first (DW-5, DW-11). Without a transfer syntax
 * `application/dicom` means Explicit VR Little Endian; a client that names no media type gets objects as stored.
 * @param isInstance whether one object is asked for, which can be given without multipart
 */
export function objectForms(accept: readonly MediaRange[], isInstance: boolean): ObjectForm[] {
  return accept.flatMap(({ type, parameters }): ObjectForm[] => {
    const named = parameters['transfer-syntax'];
    if (type === '*/*' || type === 'multipart/*')
      return [{ form: 'multipart', transferSyntax: named ?? '*' }];
    if (type === 'multipart/related') {
      const part = parameters['type']?.toLowerCase();
      if (part === undefined || part === '*/*' || part === 'application/*') {
        return [{ form: 'multipart', transferSyntax: named ?? '*' }];
      }
      if (part !== 'application/dicom') return [];
      return [{ form: 'multipart', transferSyntax: named ?? TransferSyntax.ExplicitVRLittleEndian }];
    }
    if (type === 'application/*' && isInstance) return [{ form: 'single', transferSyntax: named ?? '*' }];
    if (type === 'application/dicom' && isInstance) {
      return [{ form: 'single', transferSyntax: named ?? TransferSyntax.ExplicitVRLittleEndian }];
    }
    if (type === 'application/zip') return [{ form: 'zip', transferSyntax: named ?? '*' }];
    return [];
  });
}

/** Returns true for the name of a transfer syntax, and for `*`. */
export const isTransferSyntax = (text: string): boolean => text === '*' || UID.test(text);

/**
 * Returns the transfer syntax of objects in multipart/related, if that is what the client wants most; otherwise undefined.
 */
export function multipartObjects(accept: readonly MediaRange[], isInstance: boolean): string | undefined {
  const best = objectForms(accept, isInstance).find((one) => isTransferSyntax(one.transferSyntax));
  return best?.form === 'multipart' ? best.transferSyntax : undefined;
}

/** Other media types that are in use for frames (PS3.18 §8.7.3.3 and its older editions). */
const ALIASES: Record<string, readonly string[]> = {
  'image/jls': ['image/x-jls', 'image/jpls'],
  'image/jp2': ['image/j2c', 'image/x-jp2', 'image/jpx'],
  'image/jphc': ['image/x-jphc', 'image/jph'],
  'image/dicom-rle': ['image/x-dicom-rle'],
};

/** Media types to which frames can be transcoded, with their transfer syntaxes; the first is the default. */
const TRANSCODED: Record<string, readonly string[]> = {
  'application/octet-stream': [TransferSyntax.ExplicitVRLittleEndian],
  'image/jls': [TransferSyntax.JPEGLSLossless],
  'image/jp2': [TransferSyntax.JPEG2000Lossless],
  'image/jphc': [TransferSyntax.HTJ2KLossless, TransferSyntax.HTJ2KLosslessRPCL],
};

/** The form in which frames are given. */
export interface FrameForm {
  multipart: boolean;
  mediaType: string;
  /** The transfer syntax to transcode to first; undefined for frames as stored. */
  transcodeTo?: string;
}

/**
 * Returns the form of frames of this type; undefined for 406 (DW-7). They are given as stored unless the client names
 * another type.
 * @param mediaType as stored; `application/octet-stream` for native pixels
 * @param single whether one frame was asked for, which can be given without multipart
 */
export function negotiateFrames(
  accept: readonly MediaRange[],
  mediaType: string,
  transferSyntax: string,
  single: boolean,
): FrameForm | undefined {
  for (const { type, parameters } of accept) {
    if (type === '*/*' || type === 'multipart/*') return { multipart: true, mediaType };
    const multipart = type === 'multipart/related';
    const wanted = multipart ? (parameters['type']?.toLowerCase() ?? '*/*') : type;
    const name = nameFor(wanted, mediaType, parameters['transfer-syntax'] === '*');
    const syntax = parameters['transfer-syntax'] ?? '*';
    if (!multipart && !single) continue;
    if (name && fits(syntax, mediaType, transferSyntax)) return { multipart, mediaType: name };
    const transcodedType = Object.keys(TRANSCODED).find((type) => nameFor(wanted, type, false) === wanted);
    const transcodeTo = TRANSCODED[transcodedType ?? '']?.find((one) => syntax === '*' || syntax === one);
    if (transcodeTo) return { multipart, mediaType: wanted, transcodeTo };
  }
  return undefined;
}

/** Transfer syntaxes whose frames have different media types. */
const STORED = [
  TransferSyntax.ExplicitVRLittleEndian,
  '1.2.840.10008.1.2.4.50',
  TransferSyntax.JPEGLSLossless,
  TransferSyntax.JPEG2000Lossless,
  TransferSyntax.HTJ2KLossless,
  '1.2.840.10008.1.2.5',
];

/** Returns true if the client wants frames as they are stored, in multipart/related, whatever is stored. */
export function wantsStoredFrames(accept: readonly MediaRange[], single: boolean): boolean {
  return STORED.every((transferSyntax) => {
    const stored = frameMediaType(transferSyntax);
    const form = negotiateFrames(accept, stored, transferSyntax, single);
    return form?.multipart && form.mediaType === stored && form.transcodeTo === undefined;
  });
}

function nameFor(wanted: string, mediaType: string, asStored: boolean): string | undefined {
  if (wanted === mediaType || wanted === '*/*') return mediaType;
  if (wanted === 'image/*' && mediaType.startsWith('image/')) return mediaType;
  if (wanted === 'application/*' && mediaType.startsWith('application/')) return mediaType;
  // Viewers ask for octets "as stored" and mean whatever is stored.
  if (wanted === 'application/octet-stream' && asStored) return mediaType;
  return ALIASES[mediaType]?.includes(wanted) ? wanted : undefined;
}

function fits(wanted: string, mediaType: string, transferSyntax: string): boolean {
  if (wanted === '*' || wanted === transferSyntax) return true;
  // Native frames are little endian octets, whichever of the uncompressed syntaxes the file has.
  return mediaType === 'application/octet-stream' && wanted === TransferSyntax.ExplicitVRLittleEndian;
}

/** Returns true if the client takes values of any type in multipart/related, as octets. */
export function takesOctetParts(accept: readonly MediaRange[]): boolean {
  return accept.some(({ type, parameters }) => {
    const part = parameters['type']?.toLowerCase() ?? '*/*';
    if (type !== 'multipart/related') return type === '*/*' || type === 'multipart/*';
    return ['*/*', 'application/*', 'application/octet-stream'].includes(part);
  });
}

/** Returns how bytes are given: as one body, or as one part; undefined for 406. */
export function negotiateBulkData(
  accept: readonly MediaRange[],
  mediaType: string,
): 'single' | 'multipart' | undefined {
  for (const { type, parameters } of accept) {
    const part = parameters['type']?.toLowerCase();
    const names = ['*/*', 'application/*', 'application/octet-stream', mediaType];
    if (names.includes(type)) return 'single';
    if (
      type === 'multipart/*' ||
      (type === 'multipart/related' && (part === undefined || names.includes(part)))
    ) {
      return 'multipart';
    }
  }
  return undefined;
}
