import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { startOrthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  sharedDataPath,
  sharedDicomFiles,
  type SharedDicomFile,
} from '../../../gateway/test/setup/shared-data.ts';
import { Tag, text, TransferSyntax, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { boundaryOf, readMultipart } from '../multipart/multipart.ts';
import { fileMeta } from '../sources/stored/file-meta.ts';
import { OUR_AE } from './dimse.ts';
import { orthancImages, testAccess, testSubgraph, testTenant, type TestSubgraph } from './subgraph.ts';

/**
 * Tests which operations each image source supports for each transfer syntax. It has one real file of every transfer
 * syntax of the shared data in every source, performs each operation by HTTP, and checks the content of its answer.
 */

interface Answer {
  bytes: Buffer;
  /** Content-Type of the body, or of its first part. */
  type: string;
}

interface Operation {
  name: string;
  /** Path below the instance, except for the search. */
  path: string;
  accept: string;
  /** Tells whether an answer is correct. */
  holds(answer: Answer, file: SharedDicomFile): boolean | Promise<boolean>;
  /** True if all sources must answer the same bytes. Archives rewrite files, and add attributes to rows. */
  alike?: true;
}

const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian;
const objects = (transferSyntax: string) =>
  `multipart/related; type="application/dicom"; transfer-syntax=${transferSyntax}`;

/** Returns the bytes of a decoded frame, PS3.5 §8.1.1. Colour has three samples a pixel, single bits are packed. */
function frameLength({
  rows = 0,
  columns = 0,
  photometric = '',
  bitsAllocated = 8,
}: SharedDicomFile): number {
  const samples = /^(RGB|YBR)/.test(photometric) ? 3 : 1;
  return Math.ceil((rows * columns * samples * bitsAllocated) / 8);
}

function isTheRow({ bytes }: Answer, file: SharedDicomFile): boolean {
  const rows = JSON.parse(bytes.toString()) as DicomJson[];
  return rows.length === 1 && text(rows[0]!, Tag.SOPInstanceUID) === file.sopInstanceUid;
}

/** Tells whether a picture has the size of the image. Pixels that are not square are stretched along one side. */
async function isWhole({ bytes }: Answer, file: SharedDicomFile): Promise<boolean> {
  const { width, height } = await sharp(bytes).metadata();
  return width === file.columns || height === file.rows;
}

async function isThumbnail({ bytes }: Answer): Promise<boolean> {
  const { width, height } = await sharp(bytes).metadata();
  return Math.max(width, height) === 128;
}

const OPERATIONS: readonly Operation[] = [
  { name: 'search', path: '', accept: 'application/dicom+json', holds: isTheRow },
  { name: 'metadata', path: '/metadata', accept: 'application/dicom+json', holds: isTheRow },
  {
    name: 'retrieve as stored',
    path: '',
    accept: objects('*'),
    holds: ({ bytes }, file) => fileMeta(bytes)?.transferSyntax === file.transferSyntax,
  },
  {
    name: 'retrieve as Explicit VR LE',
    path: '',
    accept: objects(EXPLICIT),
    holds: ({ bytes }, file) =>
      fileMeta(bytes)?.transferSyntax === EXPLICIT && bytes.length > frameLength(file) * file.frames,
  },
  {
    name: 'frames as stored',
    path: '/frames/1',
    accept:
      'multipart/related; type="application/octet-stream"; transfer-syntax=*, multipart/related; type="*/*"',
    holds: ({ bytes, type }, file) =>
      /octet-stream/.test(type) ? bytes.length === frameLength(file) : bytes.length > 0,
    alike: true,
  },
  {
    name: 'frames decoded',
    path: '/frames/1',
    accept: `application/octet-stream; transfer-syntax=${EXPLICIT}`,
    holds: ({ bytes }, file) => bytes.length === frameLength(file),
    alike: true,
  },
  { name: 'rendered', path: '/rendered', accept: 'image/png', holds: isWhole, alike: true },
  { name: 'thumbnail', path: '/thumbnail', accept: 'image/jpeg', holds: isThumbnail, alike: true },
];

/** Returns one file with pixels of every transfer syntax. */
export function matrixFiles(): SharedDicomFile[] {
  const first = new Map<string, SharedDicomFile>();
  const inOrder = (a: SharedDicomFile, b: SharedDicomFile) => a.bytes - b.bytes;
  for (const file of sharedDicomFiles().toSorted(inOrder)) {
    const usable = file.studyUid && file.rows && file.importsInOrthanc && file.photometric;
    const others = !file.file.startsWith('charset/');
    if (usable && others && !first.has(file.transferSyntax)) first.set(file.transferSyntax, file);
  }
  return [...first.values()].sort((a, b) => (a.transferSyntax < b.transferSyntax ? -1 : 1));
}

interface Matrix {
  sources: readonly string[];
  /** Returns for each source `✓`, or its answer instead. */
  cell(file: SharedDicomFile, operation: Operation): Promise<ReadonlyMap<string, string>>;
  close(): Promise<void>;
}

async function openMatrix(files: readonly SharedDicomFile[]): Promise<Matrix> {
  const directory = await mkdtemp(join(tmpdir(), 'matrix-'));
  const paths = files.map(({ file }) => sharedDataPath('dicom', file));
  const folders = { all: join(directory, 'all'), half: join(directory, 'half') };
  for (const folder of Object.values(folders)) await mkdir(folder);
  // Every other study.
  const studies = [...new Set(files.map(({ studyUid }) => studyUid))];
  const inHalf = files.map(({ studyUid }) => studies.indexOf(studyUid) % 2 === 0);
  for (const [index, path] of paths.entries()) {
    await copyFile(path, join(folders.all, `${index}.dcm`));
    if (inHalf[index]) await copyFile(path, join(folders.half, `${index}.dcm`));
  }
  const port = await freePort();
  const modalities = { gateway: { aet: OUR_AE, port } };
  const [orthanc, other] = await Promise.all([
    startOrthanc({ files: paths, modalities, configuration: { TranscodeDicomProtocol: false } }),
    startOrthanc({ files: paths.filter((_, index) => !inHalf[index]) }),
  ]);
  const lookup = 'studies-by-mrn';
  const dimse = {
    type: 'dicom-dimse',
    endpoint: `dimse://127.0.0.1:${orthanc.dicomPort}`,
    ae: OUR_AE,
    calledAe: orthanc.aet,
    lookup,
  };
  const images: Record<string, object> = {
    folder: { type: 'folder', path: folders.all, lookup },
    'dicom-web': orthancImages(orthanc),
    'dicom-dimse by C-GET': { ...dimse, retrieval: 'c-get' },
    'dicom-dimse by C-MOVE': { ...dimse, retrieval: 'c-move' },
    several: [{ type: 'folder', path: folders.half, lookup }, orthancImages(other)],
  };
  const sources = Object.keys(images);
  const tenants = sources.map((name, index) => testTenant(images[name]!, `source-${index}`));
  const all = testAccess('all', 'system/ImagingStudy.rs');
  const served = await testSubgraph(tenants, { all }, { dimse: { host: '127.0.0.1', port, maxBytes: 1e9 } });
  return {
    sources,
    async cell(file, operation) {
      const outcomes = new Map<string, string>();
      let alike: Buffer | undefined;
      for (const [index, name] of sources.entries()) {
        const answer = await asked(served, `/source-${index}/dicomweb`, file, operation);
        if (typeof answer === 'string') outcomes.set(name, answer);
        else {
          if (operation.alike) alike ??= answer.bytes;
          const good = (await operation.holds(answer, file)) && (!alike || alike.equals(answer.bytes));
          outcomes.set(name, good ? '✓' : 'wrong');
        }
      }
      return outcomes;
    },
    async close() {
      await served.close();
      await Promise.all([orthanc.stop(), other.stop()]);
      await rm(directory, { recursive: true });
    },
  };
}

/** Returns the answer or its first part; or the status if it is not 200. */
async function asked(
  { app }: TestSubgraph,
  base: string,
  { studyUid, seriesUid, sopInstanceUid }: SharedDicomFile,
  { name, path, accept }: Operation,
): Promise<Answer | string> {
  const url =
    name === 'search'
      ? `${base}/instances?SOPInstanceUID=${sopInstanceUid}`
      : `${base}/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}${path}`;
  const { statusCode, headers, rawPayload } = await app.inject({
    url,
    headers: { authorization: 'Bearer all', accept },
  });
  if (statusCode !== 200) return String(statusCode);
  const type = String(headers['content-type']);
  const boundary = boundaryOf(type);
  if (!boundary) return { bytes: rawPayload, type };
  for await (const part of readMultipart(Readable.from([rawPayload]), boundary)) {
    const chunks: Buffer[] = [];
    for await (const chunk of part.body) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), type: part.headers['content-type'] ?? '' };
  }
  return 'empty';
}

/** Returns the matrix of these files as a Markdown table. `✓` means all sources; notes below have other answers. */
export async function supportMatrix(files = matrixFiles()): Promise<string> {
  const matrix = await openMatrix(files);
  const notes: string[] = [];
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const inWords = (outcomes: ReadonlyMap<string, string>): string => {
    const others = [...outcomes].filter(([, outcome]) => outcome !== '✓');
    if (others.length === 0) return '✓';
    const note = others.map(([name, outcome]) => `${name}: ${outcome}`).join(', ');
    if (!notes.includes(note)) notes.push(note);
    const number = notes.indexOf(note) + 1;
    return others.length === outcomes.size ? `(${number})` : `✓ (${number})`;
  };
  try {
    let table = row(['transfer syntax', ...OPERATIONS.map(({ name }) => name)]);
    table += `|${'---|'.repeat(OPERATIONS.length + 1)}\n`;
    for (const file of files) {
      const cells: string[] = [];
      for (const operation of OPERATIONS) cells.push(inWords(await matrix.cell(file, operation)));
      table += row([`${file.transferSyntaxName} (${shortUid(file.transferSyntax)})`, ...cells]);
    }
    return [table, ...notes.map((note, index) => `(${index + 1}) ${note}\n`)].join('\n');
  } finally {
    await matrix.close();
  }
}

/** Shortens a UID by the common root, PS3.6 Annex A. */
function shortUid(uid: string): string {
  return uid.replace('1.2.840.10008.', '…');
}
