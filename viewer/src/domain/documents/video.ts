import { isVideo as isVideoSyntax } from '../../../../schema/dicom/dicom.ts';
import { text, type Instance } from '../instance.ts';

/** Video Endoscopic, Microscopic and Photographic Image Storage. */
const VIDEO_CLASS = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.77\.1\.[124]\.1$/;

/**
 * Returns true for an object whose pixels are one stream of video, and no frames (PS3.5 §8.2.5 to §8.2.11). Where the server
 * does not say how it is stored (Available Transfer Syntax UID), its class decides.
 */
export function isVideo(instance: Instance): boolean {
  const syntaxes = instance['00083002']?.Value ?? [];
  if (syntaxes.length > 0) return syntaxes.some((uid) => isVideoSyntax(String(uid)));
  return VIDEO_CLASS.test(text(instance, '00080016') ?? '');
}

/** Returns true if the bytes are a file of MP4, which begins with the box `ftyp` (ISO/IEC 14496-12 §4.3). */
export function isMp4(bytes: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(bytes.subarray(4, 8)) === 'ftyp';
}
