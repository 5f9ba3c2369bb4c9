/**
 * DICOMweb from a folder compared with Orthanc over the same files, and Orthanc through the gateway compared with
 * Orthanc alone. Contenders take turns within one run; the ratio is what counts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, request } from 'undici';
import { startOrthanc, type Orthanc } from '../test/setup/orthanc.ts';
import { startBuiltServer } from './built-server.ts';
import {
  ctInstanceUid,
  ctPatientId,
  ctSeriesUid,
  ctStudyUid,
  filesOf,
  writeCtFiles,
} from './data/ct-files.ts';
import { dawdle, download } from './download.ts';
import { throughput } from './throughput.ts';
import { alternate, duration, median, type Figure } from './measure.ts';
import { startNginxProxy } from './nginx.ts';

const STUDIES = 5000;
const SLICES = 300;
const ROUNDS = 7;
const WARM_UP = 3000;
const OCTETS = 'multipart/related; type="application/octet-stream"';

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'dicomweb-'));
  try {
    return [
      ...(await searches(join(directory, 'many'))),
      ...(await oneSeries(join(directory, 'series'))),
      ...(await slowClients(join(directory, 'slow'))),
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const folderOf = (path: string) => ({ type: 'folder', path, lookup: 'all-studies-on-server' });
const archiveOf = ({ username, password }: Orthanc, endpoint: string) => ({
  type: 'dicom-web',
  endpoint,
  lookup: 'all-studies-on-server',
  authentication: { type: 'http-basic', username, password },
});

async function untilFound(url: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const { statusCode, body } = await request(url);
    if (statusCode === 200 && ((await body.json()) as unknown[]).length > 0) return;
    await sleep(100);
  }
  throw new Error('The folder was not indexed within thirty seconds.');
}

/** Searches for the studies of one patient among many: another patient each time, so that no cached answer helps. */
async function searches(directory: string): Promise<Figure[]> {
  const images = join(directory, 'images');
  await writeCtFiles(images, STUDIES, { slices: 1, seriesPerStudy: 1, size: 16 });
  const orthanc = await startOrthanc({ files: await filesOf(images) });
  const server = await startBuiltServer(folderOf(images), directory);
  try {
    await untilFound(`${server.address}/bench/dicomweb/studies?PatientID=${ctPatientId(STUDIES - 1)}`);
    let asked = 0;
    const speed = (base: string, headers: Record<string, string>, count: number) => async () => {
      const { origin, pathname } = new URL(base);
      const pool = new Pool(origin, { connections: 1 });
      const took = await duration(async () => {
        for (let i = 0; i < count; i++) {
          asked = (asked + 1237) % STUDIES;
          const path = `${pathname}/studies?PatientID=${ctPatientId(asked)}`;
          const { body } = await pool.request({ path, method: 'GET', headers });
          const rows = (await body.json()) as unknown[];
          if (rows.length !== 1) throw new Error(`${rows.length} studies of one patient`);
        }
      });
      await pool.close();
      return (count * 1000) / took;
    };
    const { folder, direct } = await alternate(
      {
        direct: speed(orthanc.dicomWebUrl, { authorization: orthanc.authorization }, 30),
        folder: speed(`${server.address}/bench/dicomweb`, {}, 500),
      },
      ROUNDS,
    );
    return [
      { what: `Orthanc, studies by PatientID among ${STUDIES}`, value: direct.median, unit: 'requests/s' },
      { what: '… from a folder', value: folder.median, unit: 'requests/s' },
      { what: '… folder beside Orthanc', value: folder.ratio, unit: '×', atLeast: 20 },
    ];
  } finally {
    server.stop();
    await orthanc.stop();
  }
}

/** Retrieves one CT series: metadata, frames, the study, time to the first byte, connections. */
async function oneSeries(directory: string): Promise<Figure[]> {
  const images = join(directory, 'images');
  await writeCtFiles(images, SLICES, { slices: SLICES, seriesPerStudy: 1 });
  const orthanc = await startOrthanc({ files: await filesOf(images) });
  const counting = await countingProxy(new URL(orthanc.url).port);
  const fromFolder = await startBuiltServer(folderOf(images), join(directory, 'a'));
  const fromArchive = await startBuiltServer(archiveOf(orthanc, orthanc.dicomWebUrl), join(directory, 'b'));
  // A separate server: its connections pass through this process, which is busy as the client.
  const counted = await startBuiltServer(
    archiveOf(orthanc, `http://127.0.0.1:${counting.port}/dicom-web`),
    join(directory, 'c'),
  );
  const nginx = await startNginxProxy(directory, orthanc.url);
  const { authorization } = orthanc;
  const contenders = {
    direct: orthanc.dicomWebUrl,
    folder: `${fromFolder.address}/bench/dicomweb`,
    through: `${fromArchive.address}/bench/dicomweb`,
  };
  const each = <T>(make: (base: string) => T): Record<keyof typeof contenders, T> => ({
    direct: make(contenders.direct),
    folder: make(contenders.folder),
    through: make(contenders.through),
  });
  const study = `/studies/${ctStudyUid(0)}`;
  const series = `${study}/series/${ctSeriesUid(0, 0)}`;
  try {
    await untilFound(`${contenders.folder}/studies?PatientID=${ctPatientId(0)}`);

    // Compressed where the server compresses, as an application asks for it.
    const bytes: Record<string, number> = {};
    const metadata = await alternate(
      each((base) => async () => {
        const start = performance.now();
        const headers = { authorization, accept: 'application/dicom+json', 'accept-encoding': 'br, gzip' };
        const { body, statusCode } = await request(`${base}${series}/metadata`, { headers });
        bytes[base] = (await body.arrayBuffer()).byteLength;
        if (statusCode !== 200) throw new Error(`metadata answered ${statusCode}`);
        return 1000 / (performance.now() - start);
      }),
      ROUNDS,
    );

    const passed = { ...contenders, nginx: `${nginx.address}/dicom-web` };
    // The server has to be warm: there are many frames.
    for (const base of Object.values(passed)) await framesPerSecond(base, series, authorization, WARM_UP);
    const speedOf = (base: string) => () => framesPerSecond(base, series, authorization);
    const frames = await alternate({ ...each(speedOf), nginx: speedOf(passed.nginx) }, ROUNDS);

    const whole = await alternate(
      each((base) => async () => {
        const start = performance.now();
        return (await download(`${base}${study}`, { authorization })) / 1e3 / (performance.now() - start);
      }),
      ROUNDS,
    );

    const first = await alternate(
      each((base) => () => firstByte(`${base}${series}/instances/${ctInstanceUid(0, 0, 7)}`, authorization)),
      25,
    );

    for (let i = 0; i < 50; i++) {
      await framesPerSecond(`${counted.address}/bench/dicomweb`, series, authorization, 1, 1);
    }
    const connections = counting.connections();

    const wire = bytes[contenders.folder]! / bytes[contenders.direct]!;
    return [
      { what: `Orthanc, metadata of ${SLICES} slices`, value: metadata.direct.median, unit: 'requests/s' },
      { what: '… folder beside Orthanc', value: metadata.folder.ratio, unit: '×', atLeast: 5 },
      { what: '… its bytes on the wire', value: wire * 100, unit: '% of Orthanc', atMost: 5 },
      { what: '… through us beside Orthanc', value: metadata.through.ratio, unit: '×' },
      { what: 'Orthanc, frames of 512 KiB, eight at once', value: frames.direct.median, unit: 'frames/s' },
      { what: '… folder beside Orthanc', value: frames.folder.ratio, unit: '×', atLeast: 1.5 },
      { what: '… through us beside Orthanc', value: frames.through.ratio, unit: '×', atLeast: 0.7 },
      { what: '… through nginx, unbuffered, beside Orthanc', value: frames.nginx.ratio, unit: '×' },
      { what: 'Orthanc, a 157 MB study', value: whole.direct.median, unit: 'MB/s' },
      { what: '… folder beside Orthanc', value: whole.folder.ratio, unit: '×', atLeast: 0.8 },
      // 1.2 times the share of direct speed that the reference server reached.
      { what: '… through us beside Orthanc', value: whole.through.ratio, unit: '×', atLeast: 0.72 },
      { what: 'Orthanc, an instance, first byte', value: first.direct.median, unit: 'ms' },
      {
        what: '… through us, delay',
        value: first.through.median - first.direct.median,
        unit: 'ms',
        atMost: 5,
      },
      { what: 'connections to Orthanc for 50 requests', value: connections, unit: '', atMost: 4 },
    ];
  } finally {
    fromFolder.stop();
    fromArchive.stop();
    counted.stop();
    await counting.close();
    await nginx.end();
    await orthanc.stop();
  }
}

function framesPerSecond(
  base: string,
  series: string,
  authorization: string,
  count = 1000,
  connections = 8,
): Promise<number> {
  const { origin, pathname } = new URL(base);
  return throughput(origin, { count, connections }, async (connection, number) => {
    // No more frames than Orthanc keeps in its memory.
    const slice = ((number % 200) * 7) % SLICES;
    const path = `${pathname}${series}/instances/${ctInstanceUid(0, 0, slice)}/frames/1`;
    const bytes = await connection.send(path, { authorization, accept: OCTETS });
    if (bytes < 524_288) throw new Error(`a frame of ${bytes} bytes`);
  });
}

/** Measures the milliseconds until the body begins. */
async function firstByte(url: string, authorization: string): Promise<number> {
  const start = performance.now();
  const accept = 'multipart/related; type="application/dicom"; transfer-syntax=*';
  const { body } = await request(url, { headers: { authorization, accept } });
  const iterator = body[Symbol.asyncIterator]();
  await iterator.next();
  const took = performance.now() - start;
  while (!(await iterator.next()).done);
  return took;
}

/** Passes connections on and counts them. */
async function countingProxy(to: string) {
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    const upstream = connect(Number(to), '127.0.0.1');
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => client.destroy() && upstream.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close: () => new Promise<void>((done) => server.close(() => done())),
  };
}

/** Lets fifty clients download a study of 210 MB at the same time, each over a slow line. */
async function slowClients(directory: string): Promise<Figure[]> {
  const images = join(directory, 'images');
  await writeCtFiles(images, 400);
  const server = await startBuiltServer(folderOf(images), directory);
  try {
    const base = `${server.address}/bench/dicomweb`;
    await untilFound(`${base}/studies?PatientID=${ctPatientId(0)}`);
    await server.memory();
    const read = Array.from({ length: 50 }, () => dawdle(`${base}/studies/${ctStudyUid(0)}`, 10_000));
    const bytes = await Promise.all(read);
    if (median(bytes) < 1e6) throw new Error('The slow clients were not served.');
    const { peak } = await server.memory();
    return [{ what: '50 slow clients in a 210 MB study, memory', value: peak, unit: 'MB', atMost: 300 }];
  } finally {
    server.stop();
  }
}
