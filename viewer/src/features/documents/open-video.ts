import type { ImageSource } from '../../data/source.ts';
import { filmOf, isMp4, isTransportStream } from '../../domain/documents/video.ts';
import type { Instance } from '../../domain/instance.ts';
import { bytesOf, partOf } from '../../state/stage/bytes-of.ts';
import { pixelsOf, type OpenedVideo, type Reading } from './opened-video.ts';

/** A smaller file is loaded as a whole: it is soon there, and can be kept. */
const WHOLE = 16 * 1024 * 1024;

/** Opens the video of an object. @throws Trouble */
export async function openVideo(
  instance: Instance,
  images: Pick<ImageSource, 'bulk'>,
  reading: Reading,
): Promise<OpenedVideo> {
  const url = instance['7FE00010']?.BulkDataURI;
  const first =
    url === undefined ? undefined : await partOf(url, { from: 0, to: WHOLE }, images, reading.signal);
  if (url !== undefined && first?.total !== undefined && first.total > first.bytes.length) {
    const { openLargeVideo } = await import('./large-video.ts');
    const file = { url, first: first.bytes, size: first.total };
    const large = await openLargeVideo(instance, { file, images }, reading);
    if (large) return large;
  } else if (first && first.bytes.length !== WHOLE) return readVideo(instance, first.bytes);
  return readVideo(instance, await bytesOf(instance['7FE00010'], images, reading.signal));
}

/** Reads a video. A transport stream of H.264 becomes a file of MP4: what does that is loaded with the first one. */
async function readVideo(instance: Instance, bytes: Uint8Array): Promise<OpenedVideo> {
  if (!isTransportStream(bytes)) {
    const mediaType = isMp4(bytes) ? 'video/mp4' : 'application/octet-stream';
    return { mediaType, bytes, played: bytes, film: filmOf(instance, bytes) };
  }
  const { readTransportStream } = await import('../../domain/documents/transport-stream.ts');
  const { mp4, coding, sound } = readTransportStream(bytes, pixelsOf(instance));
  const film = filmOf(instance, mp4 ?? new Uint8Array());
  return { mediaType: 'video/mp2t', bytes, played: mp4, film: { ...film, coding }, silent: sound };
}
