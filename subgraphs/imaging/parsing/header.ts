import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Tag, text, UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Budget, OverBudget } from '../dicom/part10/budget.ts';
import { Bytes, DamagedFile } from '../dicom/part10/bytes.ts';
import { isPixelData, readFragments } from '../dicom/part10/dataset.ts';
import { metaUid, type DicomFile } from '../dicom/part10/file.ts';
import { dicomJson } from '../dicom/part10/json.ts';
import { HEADER_TAGS } from '../facts/attributes.ts';
import { withFile, type ParsedFile } from './open-file.ts';

/** What the index needs of one file. */
export type Header =
  | { kind: 'instance'; transferSyntax: string; attributes: DicomJson }
  /** Not DICOM, or a DICOMDIR: nothing to serve, nothing wrong. */
  | { kind: 'other' }
  /** DICOM that cannot be served; the reason names no value of the file. */
  | { kind: 'damaged'; reason: string }
  /** Gone again, or not readable for us. */
  | { kind: 'unreadable'; code: string };

const MEDIA_STORAGE_DIRECTORY = '1.2.840.10008.1.3.10';
const WINDOW = 16_384;
/** Elements and values that a row of the index holds: some thirty attributes, and a few requests. */
const ROW_ELEMENTS = 500;

export interface HeadersTask {
  /** Absolute. */
  paths: readonly string[];
  /** Elements and values that an object may have. */
  objectElements: number;
}

/** Headers of files, in the order of their paths. */
export async function readHeaders({ paths, objectElements }: HeadersTask): Promise<Header[]> {
  const window = Buffer.allocUnsafeSlow(WINDOW);
  const headers: Header[] = [];
  for (const path of paths) {
    try {
      headers.push(await readHeader(path, window, objectElements));
    } catch (error) {
      headers.push({ kind: 'unreadable', code: String((error as NodeJS.ErrnoException).code) });
    }
  }
  return headers;
}

/** The header of an open file. @throws the file system's errors */
export function readOpenHeader({ fd, objectElements }: ParsedFile): Promise<Header> {
  return headerOfFile(fd, Buffer.allocUnsafeSlow(WINDOW), objectElements);
}

/**
 * Reads the attributes of HEADER_TAGS without touching the pixels, and checks that the file is whole. Of an object with
 * more elements than it may have, those before that: it is found, and what it is then asked for says why it is refused.
 * @param window reused from call to call
 * @throws the file system's errors
 */
async function readHeader(path: string, window: Buffer, objectElements: number): Promise<Header> {
  // A link put in the file's place after the walk is not followed.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await headerOfFile(fd, window, objectElements);
  } finally {
    closeSync(fd);
  }
}

async function headerOfFile(fd: number, window: Buffer, objectElements: number): Promise<Header> {
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return { kind: 'damaged', reason: 'The file is empty.' };
    const bytes = new Bytes({ fd, size }, window);
    const budget = new Budget(objectElements);
    const into = (tag: string): boolean => HEADER_TAGS.has(tag);
    const options = { until: isPixelData, into, budget, partial: true };
    return await withFile(
      bytes,
      options,
      (file) => (file ? headerOf(bytes, file, budget) : { kind: 'other' }),
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

/** @throws DamagedFile for more than a row of the index holds */
function rowAttributes({ bytes, elements, encoding }: DicomFile): DicomJson {
  const wanted = elements.filter((element) => HEADER_TAGS.has(element.tag));
  try {
    return dicomJson(bytes, wanted, encoding, new Budget(ROW_ELEMENTS));
  } catch (error) {
    if (!(error instanceof OverBudget)) throw error;
    throw new DamagedFile('The attributes by which it is searched have too many values.', { cause: error });
  }
}

/** Encapsulated pixels nearly always end the file: then its last eight bytes tell that nothing was cut off. */
function checkDelimiter(bytes: Bytes, offset: number, budget: Budget): void {
  const end = bytes.slice(bytes.size - 8, 8);
  if (end.readUInt32LE(0) === 0xe0ddfffe && end.readUInt32LE(4) === 0) return;
  readFragments(bytes, offset, bytes.size, true, budget);
}
