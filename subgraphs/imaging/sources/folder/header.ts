import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Tag, text, UID, type DicomJson } from '../../../../schema/dicom.ts';
import { Bytes, DamagedFile } from '../../part10/bytes.ts';
import { isPixelData, readFragments } from '../../part10/dataset.ts';
import { metaUid, readFile, type DicomFile } from '../../part10/file.ts';
import { dicomJson } from '../../part10/json.ts';
import { HEADER_TAGS } from './attributes.ts';

/** What the index needs of one file. */
export type Header =
  | { kind: 'instance'; transferSyntax: string; attributes: DicomJson }
  /** Not DICOM, or a DICOMDIR: nothing to serve, nothing wrong. */
  | { kind: 'other' }
  /** DICOM that cannot be served; the reason names no value of the file. */
  | { kind: 'damaged'; reason: string };

const MEDIA_STORAGE_DIRECTORY = '1.2.840.10008.1.3.10';

/**
 * Reads the attributes of HEADER_TAGS without touching the pixels, and checks that the file is whole.
 * @param window reused from call to call
 * @throws the file system's errors
 */
export function readHeader(path: string, window: Buffer): Header {
  // A link put in the file's place after the walk is not followed.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return { kind: 'damaged', reason: 'The file is empty.' };
    const bytes = new Bytes({ fd, size }, window);
    const file = readFile(bytes, { until: isPixelData, into: (tag) => HEADER_TAGS.has(tag) });
    return file ? header(bytes, file) : { kind: 'other' };
  } catch (error) {
    if (error instanceof DamagedFile) return { kind: 'damaged', reason: error.message };
    throw error;
  } finally {
    closeSync(fd);
  }
}

function header(bytes: Bytes, file: DicomFile): Header {
  if (metaUid(bytes, file.meta, '00020002') === MEDIA_STORAGE_DIRECTORY) return { kind: 'other' };
  const attributes = dicomJson(
    file.bytes,
    file.elements.filter((element) => HEADER_TAGS.has(element.tag)),
    file.encoding,
  );
  for (const tag of [Tag.StudyInstanceUID, Tag.SeriesInstanceUID, Tag.SOPInstanceUID, Tag.SOPClassUID]) {
    if (!UID.test(text(attributes, tag) ?? ''))
      return { kind: 'damaged', reason: `${tag} is absent or no UID.` };
  }
  const pixels = file.elements.at(-1);
  if (pixels?.fragments && isPixelData(pixels.tag)) checkDelimiter(file.bytes, pixels.offset);
  const { transferSyntax } = file;
  attributes[Tag.AvailableTransferSyntaxUID] = { vr: 'UI', Value: [transferSyntax] };
  return { kind: 'instance', transferSyntax, attributes };
}

/** Encapsulated pixels nearly always end the file: then its last eight bytes tell that nothing was cut off. */
function checkDelimiter(bytes: Bytes, offset: number): void {
  const end = bytes.slice(bytes.size - 8, 8);
  if (end.readUInt32LE(0) === 0xe0ddfffe && end.readUInt32LE(4) === 0) return;
  readFragments(bytes, offset, bytes.size);
}
