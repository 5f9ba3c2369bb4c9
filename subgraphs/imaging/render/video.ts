import { Fault } from '../../../schema/fault/fault.ts';
import { takes, type MediaRange } from '../../../schema/http/media-ranges.ts';
import type { BulkData } from '../sources/source.ts';
import { VideoStream } from '../sources/video.ts';
import type { InstanceOfStudy, StudyReader } from '../study/study-reader.ts';
import { negotiated } from './parameters.ts';

/** Rendered resources of videos: the stream as it is stored (DW-28). */

const TYPES = ['video/mp4', 'video/mpeg', 'video/mp2t'];

/**
 * Tells whether there is no picture because the pixels are a video. Not every archive states that before its frames are asked
 * for, and a picture may be refused before that: its type, or the size of a film.
 */
export async function isOfVideo(
  error: unknown,
  accept: readonly MediaRange[],
  study: StudyReader,
  instance: InstanceOfStudy,
): Promise<boolean> {
  if (!(error instanceof Fault)) return false;
  if (error.cause instanceof VideoStream) return true;
  const isEarly = error.code === 'not_acceptable' || error.code === 'too_large';
  if (!isEarly || !accept.some((range) => TYPES.some((type) => takes(range, type)))) return false;
  try {
    await (await study.frames(instance, [1])).close();
    return false;
  } catch (refusal) {
    return refusal instanceof Fault && refusal.cause instanceof VideoStream;
  }
}

/** Opens the stream. @throws Fault `not_acceptable` for another media type than that of the stream */
export async function streamOf(
  study: StudyReader,
  instance: InstanceOfStudy,
  accept: readonly MediaRange[],
): Promise<BulkData> {
  const stream = await study.bulkdata(instance, 'bulkdata/7FE00010');
  negotiated(accept, [stream.mediaType]);
  return stream;
}
