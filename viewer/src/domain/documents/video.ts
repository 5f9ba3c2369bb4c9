import { isVideo as isVideoSyntax } from '../../../../schema/dicom/dicom.ts';
import { number, positive, text, type Instance } from '../instance.ts';
import { readMp4, type Mp4 } from './mp4.ts';

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

/** Bytes of a packet of a transport stream, and with which each begins (ISO/IEC 13818-1 §2.4.3.2). */
const PACKET = 188;
const SYNC = 0x47;

/** Returns true if the bytes are packets of an MPEG transport stream. */
export function isTransportStream(bytes: Uint8Array): boolean {
  return bytes.length >= PACKET && bytes[0] === SYNC && (bytes[PACKET] ?? SYNC) === SYNC;
}

/** The frames of a video in time. */
export interface Film {
  /** Seconds at which each frame appears; none where neither file nor object say it. */
  begins: readonly number[];
  /** Seconds at which the last one ends. */
  end: number;
  /** Frames that the file or the object names: more than there are if the end is missing. */
  named: number;
  /** True if the file ends early. */
  cut: boolean;
  /** As people know it, such as `H.264`; undefined where the file does not say it. */
  coding?: string | undefined;
  sound: boolean;
}

const CODINGS: Readonly<Record<string, string>> = {
  avc1: 'H.264',
  avc3: 'H.264',
  hvc1: 'H.265 (HEVC)',
  hev1: 'H.265 (HEVC)',
  mp4v: 'MPEG-2 / MPEG-4',
};

/** Returns the frames of a video, by the times of its file; where that says none, by Frame Time or rate of the object. */
export function filmOf(instance: Instance, bytes: Uint8Array): Film {
  const mp4 = isMp4(bytes) ? readMp4(bytes) : { sound: false, cut: false };
  return filmOfTables(instance, mp4, bytes.length);
}

/** Returns them by the tables of a file of so many bytes. */
export function filmOfTables(instance: Instance, { track, ...rest }: Mp4, length: number): Film {
  const coding = track && (CODINGS[track.coding] ?? track.coding);
  // What an edit list leaves out is not shown.
  const listed = (track?.samples ?? []).filter(({ at }) => at >= 0);
  const whole = listed.filter(({ offset, size }) => offset + size <= length).sort((a, b) => a.at - b.at);
  const last = whole.at(-1);
  const count = number(instance, '00280008') ?? 0;
  const about = { ...rest, coding, named: Math.max(listed.length, count) };
  if (track && last) {
    const seconds = (ticks: number) => ticks / track.timescale;
    return { ...about, begins: whole.map(({ at }) => seconds(at)), end: seconds(last.at + last.duration) };
  }
  const each = frameSeconds(instance);
  const known = each === undefined || rest.cut ? 0 : count;
  return { ...about, begins: Array.from({ length: known }, (_, at) => at * each!), end: known * (each ?? 0) };
}

/** Frame Time (ms), Recommended Display Frame Rate or Cine Rate (PS3.3 §C.7.6.5), as seconds of a frame. */
function frameSeconds(instance: Instance): number | undefined {
  const time = positive(instance, '00181063');
  if (time !== undefined) return time / 1000;
  const rate = positive(instance, '00082144') ?? positive(instance, '00180040');
  return rate && 1 / rate;
}

/** Returns the frame that is shown at a time, from 0; the first one before it begins. */
export function frameShownAt({ begins }: Pick<Film, 'begins'>, seconds: number): number {
  let [low, high] = [0, begins.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (begins[middle]! <= seconds + ROUNDING) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Browsers give times in microseconds. */
const ROUNDING = 2e-6;

/** Returns a time at which a frame is on the screen, safely within it. */
export function middleOf({ begins, end }: Pick<Film, 'begins' | 'end'>, frame: number): number {
  return (begins[frame]! + (begins[frame + 1] ?? end)) / 2;
}
