import type { ImageSource } from '../../data/source.ts';
import { Trouble } from '../../data/trouble.ts';
import { typeOf } from '../../domain/documents/mp4-fragments.ts';
import { readMp4 } from '../../domain/documents/mp4.ts';
import { filmOfTables } from '../../domain/documents/video.ts';
import type { Instance } from '../../domain/instance.ts';
import { partOf } from '../../state/stage/bytes-of.ts';
import { pixelsOf, type OpenedVideo, type Reading } from './opened-video.ts';
import { StreamedVideo, type Read } from './streamed-video.ts';

/** Bytes of a piece, at least: a server may have to fetch the file for each. */
const PIECE = 4 * 1024 * 1024;
/** Boxes of a file before its tables: usually two or three. */
const MOST_BOXES = 32;

/** A file of which the first bytes are there. */
interface LargeFile {
  url: string;
  first: Uint8Array;
  size: number;
}

/**
 * Opens a video that is too large to be loaded as a whole: its tables first, then what is shown.
 * @returns undefined for a file without tables
 * @throws Trouble
 */
export async function openLargeVideo(
  instance: Instance,
  { file, images }: { file: LargeFile; images: Pick<ImageSource, 'bulk'> },
  { signal, onTrouble }: Reading,
  piece = PIECE,
): Promise<OpenedVideo | undefined> {
  const { url, first, size } = file;
  // Not on every phone: the file is then loaded as a whole.
  if (typeof MediaSource === 'undefined') return undefined;
  const read: Read = async (from, to, reading) => {
    if (to <= first.length) return first.subarray(from, to);
    const { bytes, total } = await partOf(url, { from, to }, images, reading);
    if (total === undefined || bytes.length !== to - from)
      throw new Trouble('damaged', 'the server sent another part than it was asked for');
    return bytes;
  };
  const tables = await tablesOf(size, (from, to) => read(from, to, signal));
  const mp4 = tables && readMp4(tables);
  if (!mp4?.track || mp4.track.samples.length === 0) return undefined;
  const samples = mp4.track.samples.filter((sample) => sample.offset + sample.size <= size);
  // A browser drops what is before the beginning, with all that is made of it.
  if (samples.some(({ at }) => at < 0) || samples[0]?.isKey === false) return undefined;
  const track = { ...mp4.track, samples };
  const type = typeOf(track);
  const isPlayed = type !== undefined && samples.length > 0 && MediaSource.isTypeSupported(type);
  const streamed = { track, type: type ?? '', pixels: pixelsOf(instance), piece };
  return {
    mediaType: 'video/mp4',
    film: { ...filmOfTables(instance, mp4, size), sound: false },
    played: isPlayed ? new StreamedVideo(streamed, { read, onTrouble }) : undefined,
    silent: mp4.sound,
    size,
  };
}

/** Finds the box `moov` by the heads of those before it. @returns it with its head */
async function tablesOf(
  size: number,
  read: (from: number, to: number) => Promise<Uint8Array>,
): Promise<Uint8Array | undefined> {
  for (let at = 0, boxes = 0; at + 16 <= size && boxes < MOST_BOXES; boxes++) {
    const bytes = await read(at, at + 16);
    const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const short = head.getUint32(0);
    const length = short === 1 ? Number(head.getBigUint64(8)) : short || size - at;
    if (length < 8) return undefined;
    if (new TextDecoder('latin1').decode(bytes.subarray(4, 8)) === 'moov')
      return at + length <= size ? read(at, at + length) : undefined;
    at += length;
  }
  return undefined;
}
