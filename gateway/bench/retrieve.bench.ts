/**
 * Speed of whole studies: from a folder, and from Orthanc through the gateway, through nginx and directly. The
 * contenders take turns within one run; the ratio is what counts.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startOrthanc } from '../test/setup/orthanc.ts';
import { startBuiltServer } from './built-server.ts';
import { ctSeriesUid, ctStudyUid, writeCtFiles } from './data/ct-files.ts';
import { download } from './download.ts';
import { alternate, type Figure } from './measure.ts';
import { startNginxProxy } from './nginx.ts';

/** Two series of 200 slices, 105 MB each, make a study. */
const FILES = 800;
const ROUNDS = 7;

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'retrieve-'));
  try {
    const folder = join(directory, 'images');
    await writeCtFiles(folder, FILES);
    return [...(await fromFolder(folder, directory)), ...(await fromOrthanc(folder, directory))];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Returns the path of one series of the files, by number. */
function seriesPath(series: number): string {
  const study = series >> 1;
  return `/studies/${ctStudyUid(study)}/series/${ctSeriesUid(study, series)}`;
}

async function fromFolder(folder: string, directory: string): Promise<Figure[]> {
  const images = { type: 'folder', path: folder, lookup: 'all-studies-on-server' };
  const server = await startBuiltServer(images, directory);
  try {
    const base = `${server.address}/bench/dicomweb`;
    await untilServed(`${base}${seriesPath(0)}`);
    const speed = async (parallel: number) => {
      const start = performance.now();
      const bytes = await Promise.all(
        Array.from({ length: parallel }, (_, series) => download(`${base}${seriesPath(series)}`)),
      );
      return bytes.reduce((sum, one) => sum + one) / 1e3 / (performance.now() - start);
    };
    // Measured idle and after one series: memory that the process needs anyway is already taken.
    await sleep(1000);
    const { rss: before } = await server.memory();
    const { one, four } = await alternate({ one: () => speed(1), four: () => speed(4) }, ROUNDS);
    const { peak } = await server.memory();
    return [
      { what: 'folder, a 105 MB series', value: one.median, unit: 'MB/s', atLeast: 400 },
      { what: 'folder, four of them at once', value: four.median, unit: 'MB/s', atLeast: 400 },
      { what: '… growth of memory over all rounds', value: peak - before, unit: 'MB', atMost: 40 },
      { what: '… memory at its highest', value: peak, unit: 'MB' },
    ];
  } finally {
    server.stop();
  }
}

async function fromOrthanc(folder: string, directory: string): Promise<Figure[]> {
  const series = join(folder, 'study-0', 'series-0');
  const files = (await readdir(series)).map((name) => join(series, name));
  const orthanc = await startOrthanc({ files });
  const { username, password, authorization } = orthanc;
  const nginx = await startNginxProxy(directory, orthanc.url);
  const server = await startBuiltServer(
    {
      type: 'dicom-web',
      endpoint: orthanc.dicomWebUrl,
      lookup: 'all-studies-on-server',
      authentication: { type: 'http-basic', username, password },
    },
    directory,
  );
  try {
    const path = seriesPath(0).slice(0, seriesPath(0).indexOf('/series'));
    const timed = (url: string) => async () => {
      const start = performance.now();
      const bytes = await download(url, { authorization });
      return bytes / 1e3 / (performance.now() - start);
    };
    const result = await alternate(
      {
        nginx: timed(`${nginx.address}/dicom-web${path}`),
        us: timed(`${server.address}/bench/dicomweb${path}`),
        direct: timed(`${orthanc.dicomWebUrl}${path}`),
      },
      ROUNDS,
    );
    return [
      { what: 'Orthanc itself, a 105 MB study', value: result.direct.median, unit: 'MB/s' },
      { what: '… through nginx, unbuffered', value: result.nginx.median, unit: 'MB/s' },
      { what: '… through us', value: result.us.median, unit: 'MB/s' },
      { what: '… us beside nginx', value: result.us.ratio, unit: '×', atLeast: 0.9 },
    ];
  } finally {
    server.stop();
    await nginx.end();
    await orthanc.stop();
  }
}

async function untilServed(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await download(url).catch(() => 0)) return;
    await sleep(100);
  }
  throw new Error('The folder was not served within ten seconds.');
}
