/** Processor time of a study as a zip file, beside the same as multipart. `ROUNDS` changes how long it takes. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildProduct } from './built-server.ts';
import { ctStudyUid, writeCtFiles } from './data/ct-files.ts';
import { download } from './download.ts';
import { alternate, type Figure } from './measure.ts';
import { processCost } from './peers/process-cost.ts';
import { startWholeGateway, writeOpenTenant } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
/** Objects of 512 KiB in the study. */
const OBJECTS = 200;
const ZIP_AT_MOST = 1.5;

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'cold-zip-'));
  await mkdir(join(directory, 'records'));
  await writeOpenTenant(directory);
  await writeCtFiles(join(directory, 'images'), OBJECTS);
  buildProduct();
  const server = await startWholeGateway({ checkout: root, directory, name: 'zip', status: 200 });
  try {
    const url = `${server.origin}/t/dicomweb/studies/${ctStudyUid(0)}`;
    const used = () => processCost(server.pid).processor * 1000;
    const retrieve = (accept: string) => async () => {
      const before = used();
      const bytes = await download(url, { accept: `${accept}; transfer-syntax=*` });
      if (bytes < OBJECTS * 512 * 1024) throw new Error(`${accept} has ${bytes} bytes.`);
      return used() - before;
    };
    const multipart = retrieve('multipart/related; type="application/dicom"');
    for (let attempt = 0; attempt < 100 && !(await multipart().catch(() => 0)); attempt++) await sleep(200);
    const result = await alternate({ multipart, zip: retrieve('application/zip') }, 2 * ROUNDS);
    return [
      {
        what: 'a study of 200 × 512 KiB as multipart, processor',
        value: result.multipart.median,
        unit: 'ms',
      },
      { what: '… as zip', value: result.zip.median, unit: 'ms' },
      { what: '… beside multipart', value: result.zip.ratio, unit: '×', atMost: ZIP_AT_MOST },
    ];
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
