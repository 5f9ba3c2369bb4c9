import { Fault } from '../../../schema/fault/fault.ts';
import { takes, type MediaRange } from '../../../schema/http/media-ranges.ts';
import { VideoStream } from '../sources/video.ts';
import { wholeOrRange } from '../study/byte-range.ts';
import type { Payload } from '../study/answer.ts';
import type { InstanceOfStudy } from '../study/study.ts';
import { fetchFrames, type RenderedStudy } from './fetched-frames.ts';
import { negotiated } from './rendering-parameters.ts';

/** Rendered resources of videos: the stream as it is stored (DW-28). */

const TYPES = ['video/mp4', 'video/mpeg', 'video/mp2t'];

export interface VideoRequest {
  study: RenderedStudy;
  instance: InstanceOfStudy;
  accept: readonly MediaRange[];
  /** Returns the header Range if it applies. */
  range: ((tag: string | undefined) => string | undefined) | undefined;
  /** Of the instance; undefined if its source cannot tell one version from another. */
  tag: string | undefined;
}

/**
 * Gives the stream of an instance that has no picture because its pixels are a video.
 * @param error why there is no picture
 * @throws the same error for any other object; Fault `not_acceptable` for another media type than that of the stream
 */
export async function videoInstead(error: unknown, request: VideoRequest): Promise<Payload> {
  if (!(await isOfVideo(error, request))) throw error;
  const { study, instance, accept, range, tag } = request;
  const stream = await study.bulkdata(instance, 'bulkdata/7FE00010');
  negotiated(accept, [stream.mediaType]);
  // A range of one copy does not fit another.
  if (study.usedCopy) return wholeOrRange(stream, undefined);
  const payload = wholeOrRange(stream, range?.(tag));
  // A strong tag: the bytes are the same each time, and so their ranges fit together.
  return tag === undefined ? payload : { ...payload, headers: { ...payload.headers, etag: tag } };
}

/**
 * Tells whether the pixels are a video. Not every archive states that before its frames are asked for, and a picture may be
 * refused before that: its type, or the size of a film.
 */
async function isOfVideo(
  error: unknown,
  { study, instance, accept }: Pick<VideoRequest, 'study' | 'instance' | 'accept'>,
): Promise<boolean> {
  if (!(error instanceof Fault)) return false;
  if (error.cause instanceof VideoStream) return true;
  const isEarly = error.code === 'not_acceptable' || error.code === 'too_large';
  if (!isEarly || !accept.some((range) => TYPES.some((type) => takes(range, type)))) return false;
  try {
    await (await fetchFrames(study, instance, [1])).close();
    return false;
  } catch (refusal) {
    return refusal instanceof Fault && refusal.cause instanceof VideoStream;
  }
}
