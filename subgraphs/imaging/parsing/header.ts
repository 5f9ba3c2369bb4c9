import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Tag, text, UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Budget, OverBudget } from '../dicom/part10/budget.ts';
import { Bytes, DamagedFile } from '../dicom/part10/bytes.ts';
import { isPixelData, readFragments } from '../dicom/part10/dataset.ts';
import { metaUid, type DicomFile } from '../dicom/part10/file.ts';
import { dicomJson } from '../dicom/part10/json.ts';
import { HEADER_TAGS } from '../facts/attributes.ts';
import { withFile, type ParsedFile } from './open-file.ts';

/** The part of a file that the index needs. */
export type Header =
  | { kind: 'instance'; transferSyntax: string; attributes: DicomJson; more?: DicomJson | undefined }
  /** Not DICOM, or a DICOMDIR: not served, and not an error. */
  | { kind: 'other' }
  /** DICOM that cannot be served. The reason contains no value of the file. */
  | { kind: 'damaged'; reason: string }
  /** Removed in the meantime, or without permission to read. */
  | { kind: 'unreadable'; code: string };

const MEDIA_STORAGE_DIRECTORY = '1.2.840.10008.1.3.10';
const WINDOW = 16_384;
/** Elements and values of a row of the index: about thirty attributes, and a few requests. */
const ROW_ELEMENTS = 500;

export interface HeadersTask {
  /** Absolute paths. */
  paths: readonly string[];
  /** Elements and values that an object may have. */
  objectElements: number;
  /** Tags of attributes to read besides HEADER_TAGS. */
  more?: readonly string[] | undefined;
}

/** Reads headers of files, in the order of their paths. */
export async function readHeaders({ paths, objectElements, more = [] }: HeadersTask): Promise<Header[]> {
  const wanted = new Set(more);
  const window = Buffer.allocUnsafeSlow(WINDOW);
  const headers: Header[] = [];
  for (const path of paths) {
    try {
      headers.push(await readHeader(path, window, { objectElements, more: wanted }));
    } catch (error) {
      headers.push({ kind: 'unreadable', code: String((error as NodeJS.ErrnoException).code) });
    }
  }
  return headers;
}

/** Reads the header of an open file. @throws errors of the file system */
export function readOpenHeader({ fd, objectElements }: ParsedFile): Promise<Header> {
  return headerOfFile(fd, Buffer.allocUnsafeSlow(WINDOW), { objectElements });
}

interface Wanted {
  objectElements: number;
  more?: ReadonlySet<string>;
}

/**
 * Reads the attributes of HEADER_TAGS without the pixels, and checks that the file is complete. From an object with too
 * many elements it reads those before the limit: the object is indexed, and its retrieval then gives the refusal.
 * @param window reused from call to call
 * @throws errors of the file system
 */
async function readHeader(path: string, window: Buffer, wanted: Wanted): Promise<Header> {
  // Does not follow a link that replaced the file after it was listed.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await headerOfFile(fd, window, wanted);
  } finally {
    closeSync(fd);
  }
}

async function headerOfFile(fd: number, window: Buffer, { objectElements, more }: Wanted): Promise<Header> {
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return { kind: 'damaged', reason: 'The file is empty.' };
    const bytes = new Bytes({ fd, size }, window);
    const budget = new Budget(objectElements);
    const into = (tag: string): boolean => HEADER_TAGS.has(tag) || more?.has(tag) === true;
    const options = { until: isPixelData, into, budget, partial: true };
    return await withFile(
      bytes,
      options,
      (file) => {
        if (!file) return { kind: 'other' };
        const header = headerOf(bytes, file, budget);
        if (header.kind === 'instance' && more?.size) header.more = moreOf(file, more);
        return header;
      },
      { fd, size },
    );
  } catch (error) {
    if (error instanceof DamagedFile) return { kind: 'damaged', reason: error.message };
    throw error;
  }
}

function headerOf(bytes: Bytes, file: DicomFile, budget: Budget): Header {
  if (metaUid(bytes, file.meta, '00020002') === MEDIA_STORAGE_DIRECTORY) return { kind: 'other' };
  const attributes = rowAttributes(file);
  for (const tag of [Tag.StudyInstanceUID, Tag.SeriesInstanceUID, Tag.SOPInstanceUID, Tag.SOPClassUID]) {
    if (!UID.test(text(attributes, tag) ?? ''))
      return { kind: 'damaged', reason: `${tag} is absent or no UID.` };
  }
  const pixels = file.elements.at(-1);
  if (pixels?.fragments && isPixelData(pixels.tag)) checkDelimiter(file.bytes, pixels.offset, budget);
  const { transferSyntax } = file;
  attributes[Tag.AvailableTransferSyntaxUID] = { vr: 'UI', Value: [transferSyntax] };
  return { kind: 'instance', transferSyntax, attributes };
}

/** @throws DamagedFile for more values than a row of the index may have */
function rowAttributes({ bytes, elements, encoding }: DicomFile): DicomJson {
  const wanted = elements.filter((element) => HEADER_TAGS.has(element.tag));
  try {
    return dicomJson(bytes, wanted, encoding, new Budget(ROW_ELEMENTS));
  } catch (error) {
    if (!(error instanceof OverBudget)) throw error;
    throw new DamagedFile('The attributes by which it is searched have too many values.', { cause: error });
  }
}

/** Returns attributes for analysts. Too many of their values leave them out: the object is served as without them. */
function moreOf({ bytes, elements, encoding }: DicomFile, tags: ReadonlySet<string>): DicomJson | undefined {
  const wanted = elements.filter(({ tag }) => tags.has(tag));
  try {
    return dicomJson(bytes, wanted, encoding, new Budget(ROW_ELEMENTS));
  } catch (error) {
    if (error instanceof OverBudget) return undefined;
    throw error;
  }
}

/** Checks that encapsulated pixels are complete. They nearly always end the file: then its last bytes are enough. */
function checkDelimiter(bytes: Bytes, offset: number, budget: Budget): void {
  const end = bytes.slice(bytes.size - 8, 8);
  if (end.readUInt32LE(0) === 0xe0ddfffe && end.readUInt32LE(4) === 0) return;
  readFragments(bytes, { start: offset, end: bytes.size }, true, budget);
}
