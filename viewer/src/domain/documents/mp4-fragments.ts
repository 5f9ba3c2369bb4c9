/** Pieces of a video of MP4 as a browser takes them one by one (ISO/IEC 14496-12 §8.8, Media Source Extensions). */
import type { VideoTrack } from './mp4.ts';
import { ascii, box, concat, mediaOf, movieHeader, trackHeader, uint32 } from './mp4-writer.ts';

/** Frames that follow each other as they are decoded, the first of which needs none before it. */
export interface Piece {
  /** Numbers of its samples: from the first to the one after the last. */
  from: number;
  to: number;
  /** Its bytes in the file, which may have others between them. */
  begin: number;
  end: number;
  /** Seconds. */
  starts: number;
  ends: number;
}

/** Returns the media type with the coding of H.264 (RFC 6381 §3.3); undefined for any other. */
export function typeOf({ description }: VideoTrack): string | undefined {
  const at = new TextDecoder('latin1').decode(description).indexOf('avcC');
  if (at < 0) return undefined;
  // Version, then profile, constraints and level.
  const hex = [...description.subarray(at + 5, at + 8)].map((byte) => byte.toString(16).padStart(2, '0'));
  return `video/mp4; codecs="avc1.${hex.join('')}"`;
}

/** Divides a video where it can be entered, into pieces of at least so many bytes. */
export function piecesOf({ samples, timescale }: VideoTrack, least: number): Piece[] {
  const keys = samples.flatMap(({ isKey }, at) => (isKey ? [at] : []));
  const pieces: Piece[] = [];
  for (const [nth, key] of keys.entries()) {
    const next = keys[nth + 1] ?? samples.length;
    const last = pieces.at(-1);
    if (last && last.end - last.begin < least) Object.assign(last, spanOf(last.from, next));
    else pieces.push(spanOf(key, next));
  }
  return pieces;

  function spanOf(from: number, to: number): Piece {
    const own = samples.slice(from, to);
    return {
      from,
      to,
      begin: own.reduce((least, { offset }) => Math.min(least, offset), Infinity),
      end: own.reduce((most, { offset, size }) => Math.max(most, offset + size), 0),
      starts: own.reduce((least, { at }) => Math.min(least, at), Infinity) / timescale,
      ends: own.reduce((most, { at, duration }) => Math.max(most, at + duration), 0) / timescale,
    };
  }
}

/** Returns the file without frames: what a browser needs before the first piece. */
export function initialPart(
  { description, timescale }: VideoTrack,
  size: { columns: number; rows: number },
): Uint8Array<ArrayBuffer> {
  const empty = ['stts', 'stsc', 'stco'].map((name) => box(name, uint32(0, 0)));
  const tables = box('stbl', box('stsd', description), empty, box('stsz', uint32(0, 0, 0)));
  const track = box('trak', trackHeader(0, size), mediaOf(timescale, 0, tables));
  const fragments = box('mvex', box('trex', uint32(0, 1, 1, 0, 0, 0)));
  return concat([
    box('ftyp', ascii('iso5'), uint32(0x200), ascii('iso5isomavc1')),
    box('moov', movieHeader(0), track, fragments),
  ]);
}

/**
 * Returns a piece as a fragment.
 * @param bytes of the file, from `piece.begin` to `piece.end`
 */
export function fragmentOf(
  { samples }: VideoTrack,
  piece: Piece,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const own = samples.slice(piece.from, piece.to);
  const content = own.map(({ offset, size }) =>
    bytes.subarray(offset - piece.begin, offset - piece.begin + size),
  );
  const rows = own.flatMap(({ duration, size, isKey, at, decoded }) => [
    duration,
    size,
    isKey ? KEY : NO_KEY,
    at - decoded,
  ]);
  // Times of fragments have no sign: those before the first picture are moved by `shiftOf`.
  const base = own[0]!.decoded + shiftOf({ samples });
  const moof = (offset: number) =>
    box(
      'moof',
      box('mfhd', uint32(0, piece.from + 1)),
      box(
        'traf',
        box('tfhd', uint32(0x20000, 1)),
        box('tfdt', uint32(1 << 24, Math.floor(base / 2 ** 32), base % 2 ** 32)),
        box('trun', uint32((1 << 24) | 0xf01, own.length, offset, rows)),
      ),
    );
  return concat([moof(moof(0).length + 8), box('mdat', content)]);
}

/** Returns what is added to the times of fragments, so that none is below zero. */
export function shiftOf({ samples }: Pick<VideoTrack, 'samples'>): number {
  return Math.max(-(samples[0]?.decoded ?? 0), 0);
}

/** Flags of samples (§8.8.3.1): decoded alone, or not. */
const KEY = 0x2000000;
const NO_KEY = 0x1010000;
