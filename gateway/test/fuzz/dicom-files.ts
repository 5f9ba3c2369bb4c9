import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FILES } from '../../../subgraphs/imaging/test/fuzz/part10.ts';
import { damaged } from '../../../subgraphs/imaging/test/fuzz/random.ts';
import { Random } from '../setup/random.ts';
import { hold, type Target } from '../../../subgraphs/imaging/test/fuzz/target.ts';
import { sharedDataPath } from '../setup/shared-data.ts';
import { FuzzedGateway, holdReadable } from './fuzzed-gateway.ts';

/** Number of damaged copies of each file. */
const COPIES = 20;

const FORMS = [
  '',
  '/metadata',
  '/rendered',
  '/thumbnail',
  '/frames/1',
  '/frames/1,2',
  '/frames/1/rendered',
  '/bulkdata',
  '/bulkdata/7FE00010',
  '/bulkdata/00420011',
  '/bulkdata/54000100/0/54001010',
];
const ACCEPTS = [
  '*/*',
  'image/png',
  'image/gif',
  'text/html',
  'application/dicom; transfer-syntax=*',
  'application/zip',
  'multipart/related; type="application/octet-stream"',
  'application/pdf',
  'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80',
];

const directory = mkdtempSync(join(tmpdir(), 'fuzz-files-'));
let gateway: FuzzedGateway;
let instances: string[] = [];

/** A folder of damaged files; each file is retrieved in every form. */
export const dicomFiles: Target = {
  name: 'dicom-files',
  async open() {
    for (const [index, file] of FILES.entries()) {
      const original = readFileSync(sharedDataPath('dicom', file));
      for (let copy = 0; copy < COPIES; copy++) {
        const random = new Random(index * COPIES + copy);
        const bytes = random.chance(0.3) ? repeated(original, random) : damaged(original, random);
        writeFileSync(join(directory, `${index}-${copy}.dcm`), withOwnUid(bytes, index * COPIES + copy));
      }
    }
    const images = { type: 'folder', path: directory, lookup: 'all-studies-on-server' };
    gateway = await FuzzedGateway.start(images);
    const list = { method: 'GET' as const, path: '/fuzz/dicomweb/instances?limit=1000', headers: {} };
    let rows = await gateway.ask(list);
    // Wait until the folder is indexed.
    while (rows.status === 503) rows = await gateway.ask(list);
    instances = (JSON.parse(rows.body.toString()) as Row[]).map(
      (row) =>
        `/studies/${uid(row, '0020000D')}/series/${uid(row, '0020000E')}/instances/${uid(row, '00080018')}`,
    );
    hold(instances.length > FILES.length, `only ${instances.length} damaged files were indexed`);
  },
  async run(random) {
    const path = `/fuzz/dicomweb${random.of(instances)}${random.of(FORMS)}`;
    const headers = { accept: random.of(ACCEPTS) };
    await gateway.watched(async () => {
      holdReadable(await gateway.ask({ method: 'GET', path, headers }), `${path} ${headers.accept}`);
    });
  },
  async close() {
    await gateway.stop();
    rmSync(directory, { recursive: true, force: true });
  },
};

type Row = Record<string, { Value?: [string] }>;
const uid = (row: Row, tag: string) => row[tag]?.Value?.[0];

/** Repeats a piece of the file many times: masses of elements, items and fragments, up to 4 MB. */
function repeated(original: Buffer, random: Random): Buffer {
  const at = 132 + random.below(Math.min(original.length - 132, 4000));
  const piece = original.subarray(at, at + 8 + random.below(200));
  const times = 1 + random.below(4_000_000 / piece.length);
  return Buffer.concat([
    original.subarray(0, at),
    ...Array<Buffer>(times).fill(piece),
    original.subarray(at),
  ]);
}

/** Changes the last digits of the first SOP Instance UID in the data set, so that no copy hides another. */
function withOwnUid(bytes: Buffer, number: number): Buffer {
  const at = bytes.indexOf(Buffer.from([0x08, 0x00, 0x18, 0x00]), 132);
  if (at < 0 || at + 70 > bytes.length) return bytes;
  const length = bytes.readUInt16LE(at + 6);
  if (length < 10 || length > 64) return bytes;
  bytes.write(String(number).padStart(5, '1'), at + 8 + length - 6, 'latin1');
  return bytes;
}
