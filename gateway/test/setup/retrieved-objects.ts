/** The objects of a retrieval, parsed by a library from the bytes that a client received. */
import dicomParser from 'dicom-parser';
import { boundaryOf, readMultipart } from '../../../subgraphs/imaging/multipart/multipart.ts';

const PIECE = 64 * 1024;

/** Identifiers of an object and of its patient. */
export interface RetrievedObject {
  patientId: string | undefined;
  issuer: string | undefined;
  study: string | undefined;
  series: string | undefined;
  instance: string | undefined;
}

/**
 * Reads the objects of a complete answer: `application/dicom`, multipart of it, a zip, or metadata as DICOM JSON.
 * @returns undefined for another type
 * @throws for bytes that are cut off or no DICOM
 */
export async function retrievedObjects(
  contentType: string,
  body: Buffer,
): Promise<RetrievedObject[] | undefined> {
  if (contentType.startsWith('application/dicom+json')) {
    return (JSON.parse(body.toString()) as JsonObject[]).map(ofJson);
  }
  if (contentType.startsWith('application/dicom')) return [ofFile(body)];
  if (contentType.startsWith('application/zip')) return [...filesOfZip(body)].map(ofFile);
  if (!/^multipart\/related;.*application\/dicom["';\s]/.test(`${contentType};`)) return undefined;
  const objects: RetrievedObject[] = [];
  const boundary = boundaryOf(contentType)!;
  for await (const part of readMultipart(inPieces(body), boundary)) {
    const chunks: Buffer[] = [];
    for await (const chunk of part.body) chunks.push(chunk);
    objects.push(ofFile(Buffer.concat(chunks)));
  }
  return objects;
}

function ofFile(bytes: Buffer): RetrievedObject {
  const dataSet = dicomParser.parseDicom(bytes);
  return {
    patientId: dataSet.string('x00100020'),
    issuer: dataSet.string('x00100021'),
    study: dataSet.string('x0020000d'),
    series: dataSet.string('x0020000e'),
    instance: dataSet.string('x00080018'),
  };
}

/** Reads the DICOM files of an archive of stored entries, by its central directory (APPNOTE 4.3.12). */
function* filesOfZip(zip: Buffer): Generator<Buffer> {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end < 0) throw new Error('The archive has no end.');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.readUInt32LE(at) !== 0x02014b50) throw new Error('The central directory is cut.');
    const [size, local] = [zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)];
    const lengths = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const name = zip.toString('utf8', at + 46, at + 46 + lengths[0]!);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    if (name.endsWith('.dcm')) yield zip.subarray(start, start + size);
    at += 46 + lengths.reduce((sum, length) => sum + length, 0);
  }
}

type JsonObject = Record<string, { Value?: unknown[] } | undefined>;

function ofJson(object: JsonObject): RetrievedObject {
  const text = (tag: string) => object[tag]?.Value?.[0] as string | undefined;
  return {
    patientId: text('00100020'),
    issuer: text('00100021'),
    study: text('0020000D'),
    series: text('0020000E'),
    instance: text('00080018'),
  };
}

/** Cuts bytes into chunks as a network does: the reader has to join the rest of a chunk with the next. */
async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}
