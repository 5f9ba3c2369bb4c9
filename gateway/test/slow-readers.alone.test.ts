/**
 * Forty clients that read a large study slowly, from each kind of source, and the effect on others: the time of their
 * searches at the same archive, and the memory of the gateway (DW-15, DW-24).
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TransferSyntax } from '../../schema/dicom/dicom.ts';
import { writeDicomFile } from '../demo/dicom-file.ts';
import { LONG } from './setup/long.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

const READERS = 40;
const BYTES_PER_SECOND = 400_000;
/** A study of 150 MB; in `npm test` of 30 MB, more than its readers take in that time. */
const INSTANCES = LONG ? 30 : 6;
const SIDE = 2236;
const STUDY = '1.2.3';
const SEARCHES = LONG ? 60 : 30;
/** Seconds that a request waits for a connection to the archive that answers few. */
const PATIENCE = LONG ? 2 : 1;
/** Milliseconds after which each reader is reading, or has waited for a connection longer than `patience`. */
const BEGINNING = LONG ? 3000 : 1500;
/** Megabytes by which resident memory may grow. */
const MOST_GROWTH = 150;
/** Milliseconds that a search may take beyond twice its usual time, for short times. */
const JITTER = 20;

/** Limits of the archive that answers few requests at the same time. */
const FEW_THREADS = 14;
const FEW = { searches: 4, retrievals: 8 };

let orthanc: Orthanc;
let narrow: Orthanc;
let folder: string;
let gateway: WatchedGateway;
const readers: Socket[] = [];

function* objects(): Generator<Buffer> {
  const us = (tag: number, value: number) => ({ tag, vr: 'US', value: [value] });
  const bytes = randomBytes(SIDE * SIDE);
  for (let n = 1; n <= INSTANCES; n++) {
    yield writeDicomFile(
      TransferSyntax.ExplicitVRLittleEndian,
      [
        { tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.7' },
        { tag: 0x00080018, vr: 'UI', value: `${STUDY}.1.${n}` },
        { tag: 0x00080060, vr: 'CS', value: 'OT' },
        { tag: 0x00100010, vr: 'PN', value: 'Slow' },
        { tag: 0x00100020, vr: 'LO', value: 'SLOW' },
        { tag: 0x0020000d, vr: 'UI', value: STUDY },
        { tag: 0x0020000e, vr: 'UI', value: `${STUDY}.1` },
        us(0x00280002, 1),
        { tag: 0x00280004, vr: 'CS', value: 'MONOCHROME2' },
        us(0x00280010, SIDE),
        us(0x00280011, SIDE),
        us(0x00280100, 8),
        us(0x00280101, 8),
        us(0x00280102, 7),
        us(0x00280103, 0),
      ],
      { vr: 'OB', bytes, encapsulated: false },
    );
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slow-readers-'));
  await mkdir(join(folder, 'images'));
  orthanc = await startOrthanc();
  narrow = await startOrthanc({ configuration: { HttpThreadsCount: FEW_THREADS } });
  let n = 0;
  for (const object of objects()) {
    await writeFile(join(folder, 'images', `${n++}.dcm`), object);
    await orthanc.upload([object]);
    await narrow.upload([object]);
  }
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const lookup = 'all-studies-on-server';
  const { username, password, dicomWebUrl: endpoint, dicomPort, aet: calledAe } = orthanc;
  const authentication = { type: 'http-basic', username, password };
  const images = {
    folder: { type: 'folder', path: join(folder, 'images'), lookup },
    // One connection for each reader: a request that waits for one longer than `patience` gets 503, as below.
    'dicom-web': {
      type: 'dicom-web',
      endpoint,
      authentication,
      lookup,
      connections: { retrievals: READERS },
    },
    narrow: {
      type: 'dicom-web',
      endpoint: narrow.dicomWebUrl,
      authentication,
      lookup,
      patience: PATIENCE,
      connections: FEW,
    },
    'c-get': { type: 'dicom-dimse', endpoint: `dimse://127.0.0.1:${dicomPort}`, calledAe, lookup },
  };
  gateway = await startWatchedGateway({
    tenants: Object.fromEntries(
      Object.entries(images).map(([key, images]) => [key, { authorization, images }]),
    ),
  });
}, 120_000);
afterAll(async () => {
  for (const reader of readers) reader.destroy();
  await gateway?.stop();
  await Promise.all([orthanc?.stop(), narrow?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

interface Reader {
  bytes: number;
  /** Status of the answer. */
  status: string;
}

/** Starts a client that reads the study at this speed and no faster. */
function readSlowly(source: string): Reader {
  const { port, hostname } = new URL(gateway.url);
  const reader: Reader = { bytes: 0, status: '' };
  const socket = connect(Number(port), hostname);
  readers.push(socket);
  socket.on('error', () => undefined);
  socket.write(
    `GET /${source}/dicomweb/studies/${STUDY} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n` +
      'Accept: multipart/related; type="application/dicom"; transfer-syntax=*\r\n\r\n',
  );
  const turn = setInterval(() => {
    const chunk = (socket.read(BYTES_PER_SECOND / 10) ?? socket.read()) as Buffer | null;
    if (chunk && reader.status === '') reader.status = chunk.toString('latin1', 9, 12);
    reader.bytes += chunk?.length ?? 0;
  }, 100);
  socket.once('close', () => clearInterval(turn));
  return reader;
}

/**
 * Measures searches that no cache answers; returns the 95th percentile of their times in milliseconds. All have to be
 * answered.
 */
async function searching(source: string, round: string): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < SEARCHES; n++) {
    const begun = performance.now();
    const query = `StudyInstanceUID=${STUDY}&StudyDate=-${20300000 + n + 101}&StudyTime=${round}`;
    const { statusCode, body } = await request(`${gateway.url}/${source}/dicomweb/studies?${query}`);
    await body.dump();
    expect(statusCode).toBe(200);
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[Math.floor(SEARCHES * 0.95)]!;
}

const megabytes = () =>
  Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))![1]) / 1024;

test.each(LONG ? ['dicom-web', 'narrow', 'c-get', 'folder'] : ['c-get'])(
  'DW-15, DW-24 %s: searches take as long as before, and memory hardly grows',
  async (source) => {
    // The memory that a first retrieval takes is not given back: it is taken before the test.
    const { body } = await request(`${gateway.url}/${source}/dicomweb/studies/${STUDY}`);
    await body.dump({ limit: 1e9 });
    const quiet = await searching(source, '-000000');
    const before = megabytes();
    const reading = Array.from({ length: READERS }, () => readSlowly(source));
    await delay(BEGINNING);
    // Load by another process passes; load by the readers does not.
    let busy = Infinity;
    for (let round = 1; round <= 5 && busy > 2 * quiet + JITTER; round++)
      busy = await searching(source, `-00000${round}`);
    const growth = megabytes() - before;
    const statuses = new Set(reading.filter(({ bytes }) => bytes > 0).map(({ status }) => status));
    for (const socket of readers.splice(0)) socket.destroy();
    expect(busy).toBeLessThanOrEqual(2 * quiet + JITTER);
    expect(growth).toBeLessThanOrEqual(MOST_GROWTH);
    // Readers without a connection within `patience` get 503.
    expect([...statuses].sort()).toEqual(source === 'narrow' ? ['200', '503'] : ['200']);
  },
  60_000,
);
