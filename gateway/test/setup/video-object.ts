/** DICOM objects whose pixels are a stream of video (PS3.5 §8.2.5 to §8.2.8). */
import { imageObject, SMALL } from './image-object.ts';

/** A description of frames that are fewer fragments than they are. */
const DESCRIBED = {
  ...SMALL,
  rows: 48,
  columns: 64,
  samplesPerPixel: 3,
  photometricInterpretation: 'YBR_PARTIAL_420',
  numberOfFrames: 15,
  // Video Endoscopic Image Storage.
  kind: { sopClass: '1.2.840.10008.5.1.4.1.1.77.1.1.1', modality: 'ES' },
};

/** Bytes that begin as a stream of this type does, and are no video otherwise. Of an even length. */
export function streamLike(mediaType: string, bytes = 4000): Buffer {
  const stream = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7) % 251));
  if (mediaType === 'video/mp4') stream.write('\0\0\0\x18ftypisom', 'latin1');
  if (mediaType === 'video/mp2t') for (let i = 0; i < bytes; i += 188) stream[i] = 0x47;
  // A pack header of a program stream, ISO/IEC 13818-1 §2.5.3.3.
  if (mediaType === 'video/mpeg') stream.write('000001ba44', 'hex');
  return stream;
}

/** Writes the instance `{studyUid}.1.1`. @param fragments number of pieces in which the stream lies */
export function videoObject(
  studyUid: string,
  transferSyntax: string,
  stream: Uint8Array,
  fragments = 1,
): Buffer {
  const each = 2 * Math.ceil(stream.length / fragments / 2);
  const pieces = Array.from({ length: fragments }, (_, i) => stream.subarray(i * each, (i + 1) * each));
  return imageObject(studyUid, transferSyntax, DESCRIBED, [new Uint8Array(), ...pieces]);
}
