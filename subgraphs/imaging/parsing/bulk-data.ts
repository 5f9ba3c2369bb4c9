import { frameMediaType, isVideo } from '../../../schema/dicom/dicom.ts';
import {
  isPixelData,
  type Element,
  type Encoding,
  type Fragments,
  type Item,
} from '../dicom/part10/dataset.ts';
import type { Budget } from '../dicom/part10/budget.ts';
import type { DicomFile } from '../dicom/part10/file.ts';
import { UNIT } from '../dicom/part10/values.ts';
import { describedPixels } from '../pixels/codecs/description.ts';
import { withParsed, type ParsedFile } from './open-file.ts';

const OCTETS = 'application/octet-stream';

export interface BulkDataTask extends ParsedFile {
  /** `bulkdata/{tag}` or `bulkdata/{sequence}/{item}/…/{tag}`. */
  uri: string;
}

/** Position of a binary value in the file, or in the inflated data set of a deflated file. */
export interface BulkDataParts {
  mediaType: string;
  /** For encapsulated pixel data the fragments, without offset table and empty ones. Any other value is one part. */
  parts: Fragments;
  /** Bytes of all parts. */
  size: number;
  /** Bytes of the words to convert to little endian; 1 for no conversion. */
  unit: number;
}

/**
 * Finds the value of a BulkDataURI of the metadata.
 * @returns undefined when the URI names no binary value
 * @throws DamagedFile
 */
export function findBulkData({ uri, ...file }: BulkDataTask): Promise<BulkDataParts | undefined> {
  return withParsed(file, (parsed, budget) => {
    const found = findElement(parsed, uri.replace(/^\/?bulkdata\//, '').split('/'));
    if (!found || found.element.vr === 'SQ' || found.element.length === 0) return undefined;
    const { element, encoding } = found;
    const { fragments, tag, vr, offset, length } = element;
    if (!fragments) {
      const parts = { offsets: Float64Array.of(offset), lengths: Uint32Array.of(length) };
      const unit = encoding.littleEndian ? 1 : (UNIT[vr] ?? 1);
      return { mediaType: OCTETS, parts, size: length, unit };
    }
    const isPart = (i: number): boolean => i > 0 && fragments.lengths[i]! > 0;
    const parts = {
      offsets: fragments.offsets.filter((_, i) => isPart(i)),
      lengths: fragments.lengths.filter((_, i) => isPart(i)),
    };
    const mediaType = isPixelData(tag) ? pixelsMediaType(parsed, parts, budget) : OCTETS;
    return { mediaType, parts, size: parts.lengths.reduce((sum, length) => sum + length, 0), unit: 1 };
  });
}

function pixelsMediaType(file: DicomFile, { offsets, lengths }: Fragments, budget: Budget): string {
  const { bytes, transferSyntax } = file;
  if (isVideo(transferSyntax) && offsets.length > 0)
    return videoMediaType(bytes.slice(offsets[0]!, Math.min(lengths[0]!, PACKET + 1)));
  return describedPixels(file, budget)?.numberOfFrames === 1 ? frameMediaType(transferSyntax) : OCTETS;
}

/** Bytes of a packet of an MPEG-2 transport stream, which begins with 0x47 (ISO/IEC 13818-1 §2.4.3.2). */
const PACKET = 188;

/**
 * Returns the media type of a stream by its first bytes: the transfer syntax leaves it open whether H.264 and H.265 are in a
 * file of MP4 or in a transport stream (PS3.5 §8.2.7). All others are streams of MPEG without such a container.
 */
function videoMediaType(start: Buffer): string {
  if (start.toString('latin1', 4, 8) === 'ftyp') return 'video/mp4';
  return start[0] === 0x47 && start[PACKET] === 0x47 ? 'video/mp2t' : 'video/mpeg';
}

function findElement(
  file: DicomFile,
  path: readonly string[],
): { element: Element; encoding: Encoding } | undefined {
  let item: Item | undefined = { elements: file.elements, encoding: file.encoding };
  for (let i = 0; item; i += 2) {
    const element: Element | undefined = item.elements.find(({ tag }) => tag === path[i]);
    if (!element) return undefined;
    if (i === path.length - 1) return { element, encoding: item.encoding };
    item = /^\d{1,9}$/.test(path[i + 1]!) ? element.items?.[Number(path[i + 1])] : undefined;
  }
  return undefined;
}
