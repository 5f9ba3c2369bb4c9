/**
 * Clients that stop reading a large study (DW-15, DW-24): the gateway then stops too, for every form and source. Its
 * memory, and the bytes that it has read from disk and archive, stay far below the size of the study; a client that
 * reads on gets all of it.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { smallObjects } from './setup/small-objects.ts';
import { startTcpProxy, type TcpProxy } from './setup/tcp-proxy.ts';
import { isInTurn, testEach } from './setup/usual-run.ts';
import { startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

const STUDY = '1.13.1';
const INSTANCES = 12;
const SIDE = 2896;
/** Size of the study in megabytes. */
const WHOLE = (INSTANCES * SIDE ** 2) / 1e6;
const READERS = 4;

/**
 * Megabytes that the gateway may read from disk or archive for a client that has stopped: most of it lies in buffers
 * of the system.
 */
const MOST_READ = 20;
/** Megabytes by which the gateway's memory may grow for all clients together. */
const MOST_MEMORY = 80;

const FORMS: [form: string, accept: string][] = [
  ['multipart', 'multipart/related; type="application/dicom"; transfer-syntax=*'],
  ['zip', 'application/zip; transfer-syntax=*'],
];

let orthanc: Orthanc;
let web: TcpProxy;
let folder: string;
let gateway: WatchedGateway;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'back-pressure-'));
  const objects = smallObjects({ studyUid: STUDY, patientId: 'MRN', instances: INSTANCES, side: SIDE });
  for (const [index, object] of objects.entries()) await writeFile(join(folder, `${index}.dcm`), object);
  orthanc = await startOrthanc({ files: objects });
  web = await startTcpProxy(Number(new URL(orthanc.url).port));
  const { username, password, dicomPort, aet: calledAe } = orthanc;
  const lookup = 'all-studies-on-server';
  const images = {
    folder: { type: 'folder', path: folder, lookup },
    'dicom-web': {
      type: 'dicom-web',
      endpoint: `http://127.0.0.1:${web.port}/dicom-web`,
      lookup,
      authentication: { type: 'http-basic', username, password },
    },
    'c-get': { type: 'dicom-dimse', endpoint: `dimse://127.0.0.1:${dicomPort}`, calledAe, lookup },
  };
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const tenants = Object.entries(images).map(([key, images]) => [key, { authorization, images }]);
  gateway = await startWatchedGateway({ tenants: Object.fromEntries(tenants) as Record<string, unknown> });
  // The memory that a first retrieval takes is not given back: it is taken before the test.
  await rest(await begun('folder', FORMS[0]![1]));
}, 60_000);
afterAll(async () => {
  await gateway?.stop();
  await web?.stop();
  await orthanc?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** In megabytes, proc_pid_status(5) and proc_pid_io(5). */
const memory = () => kilobytes(`/proc/${gateway.pid}/status`, /VmRSS:\s*(\d+)/) / 1000;
const readByGateway = () => kilobytes(`/proc/${gateway.pid}/io`, /rchar: (\d+)/) / 1e6;
const kilobytes = (file: string, pattern: RegExp) => Number(pattern.exec(readFileSync(file, 'utf8'))![1]);
const readOfArchive = () => web.connections.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;

/** Connects a client that reads the first bytes of the study and then stops. */
async function begun(source: string, accept: string): Promise<Socket> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  const path = `/${source}/dicomweb/studies/${STUDY}`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: ${accept}\r\nConnection: close\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}

/** Reads the rest; returns it in megabytes. */
async function rest(socket: Socket): Promise<number> {
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  return bytes / 1e6;
}

/** Waits until the gateway reads nothing more for a while. */
async function still(): Promise<void> {
  for (let before = -1, now = 0; now - before > 0.2;) {
    [before, now] = [now, readByGateway()];
    await delay(300);
  }
}

const SOURCES = ['folder', 'dicom-web', 'c-get'];

describe.each(SOURCES)('%s', (source) => {
  const row = SOURCES.indexOf(source);
  testEach(FORMS, (_, column) => isInTurn([row, column], FORMS.length))(
    'DW-24 stops as the client does: %s',
    async (_form, accept) => {
      const before = { memory: memory(), read: readByGateway(), archive: readOfArchive() };
      const readers = await Promise.all(Array.from({ length: READERS }, () => begun(source, accept)));
      try {
        await still();
        // An object that comes by DIMSE is written to disk at once, one time for all clients.
        const once = source === 'c-get' ? WHOLE : 0;
        expect(readByGateway() - before.read).toBeLessThan(READERS * MOST_READ + once);
        expect(readOfArchive() - before.archive).toBeLessThan(READERS * MOST_READ);
        expect(memory() - before.memory).toBeLessThan(MOST_MEMORY);
        const [reader] = readers;
        expect(await rest(reader!)).toBeGreaterThan(WHOLE);
      } finally {
        for (const reader of readers) reader.destroy();
      }
    },
    30_000,
  );
});
