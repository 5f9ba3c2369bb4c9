/**
 * Bytes by the proxy: nginx with the gateway (`ACCEL=nginx`) beside nginx alone, in front of the same Orthanc, which is also
 * asked directly. The contenders take turns within one run; the ratio is what counts.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAccelNginx } from '../test/setup/nginx.ts';
import { startOrthanc, type Orthanc } from '../test/setup/orthanc.ts';
import { buildProduct } from './built-server.ts';
import { ctInstanceUid, ctSeriesUid, ctStudyUid, filesOf, writeCtFiles } from './data/ct-files.ts';
import { download } from './download.ts';
import { alternate, type Figure } from './measure.ts';
import { startNginxProxy } from './nginx.ts';
import { processCost } from './peers/process-cost.ts';
import { throughput } from './throughput.ts';
import { startWholeGateway } from './whole-gateway.ts';

/** One study of 157 MB. */
const SLICES = 300;
const FRAMES = 1000;
const CONNECTIONS = 8;
const ROUNDS = 11;
/** Rounds before the measured ones: Node compiles a function again and again, the last time after some 10,000 calls. */
const WARM_UP = 12;
const KEY = 'the-key-of-nginx-in-this-benchmark';
const OCTETS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*';
const STUDY = `/studies/${ctStudyUid(0)}`;

/** A way to the images. */
interface Way {
  base: string;
  headers: Record<string, string>;
  /** Processes whose processor time counts. */
  pids: readonly number[];
}

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'accel-'));
  const images = join(directory, 'images');
  await writeCtFiles(images, SLICES, { slices: SLICES, seriesPerStudy: 1 });
  const orthanc = await startOrthanc({ files: await filesOf(images) });
  const ends: (() => Promise<void>)[] = [() => orthanc.stop()];
  try {
    // One for each way: what a gateway streams itself leaves it garbage to collect.
    const start = await gatewayFor(directory, orthanc);
    const gateway = await start('gateway');
    ends.unshift(() => gateway.stop());
    const streaming = await start('streaming');
    ends.unshift(() => streaming.stop());
    const archive = orthanc.dicomWebUrl;
    const accel = await startAccelNginx(await mkdtemp(join(directory, 'accel-')), {
      key: KEY,
      gateway: gateway.origin,
      archive,
    });
    ends.unshift(() => accel.end());
    // As the other one.
    const nginx = await startNginxProxy(await mkdtemp(join(directory, 'alone-')), orthanc.url, '64k');
    ends.unshift(() => nginx.end());
    const { authorization } = orthanc;
    return await compared({
      alone: { base: `${nginx.address}/dicom-web`, headers: { authorization }, pids: [nginx.pid] },
      accel: { base: `${accel.url}/t/dicomweb`, headers: {}, pids: [accel.pid, gateway.pid] },
      gateway: { base: `${streaming.origin}/t/dicomweb`, headers: {}, pids: [streaming.pid] },
      direct: { base: archive, headers: { authorization }, pids: [] },
    });
  } finally {
    for (const end of ends) await end();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Writes the tenant. @returns what starts a gateway with a name for its files */
async function gatewayFor(directory: string, { dicomWebUrl, username, password }: Orthanc) {
  await mkdir(join(directory, 'tenants'));
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'none' },
    images: {
      type: 'dicom-web',
      lookup: 'all-studies-on-server',
      endpoint: dicomWebUrl,
      authentication: { type: 'http-basic', username, password },
    },
  };
  await writeFile(join(directory, 'tenants/t.json'), JSON.stringify(tenant));
  buildProduct();
  const checkout = join(import.meta.dirname, '../..');
  const environment = { ACCEL: 'nginx', ACCEL_KEY: KEY };
  return (name: string) => startWholeGateway({ checkout, directory, name, environment });
}

async function compared(ways: Record<'alone' | 'accel' | 'gateway' | 'direct', Way>): Promise<Figure[]> {
  const study = await measured(ways, async ({ base, headers }) => {
    const start = performance.now();
    const bytes = await download(`${base}${STUDY}`, headers);
    return { speed: bytes / 1e3 / (performance.now() - start), requests: 1 };
  });
  const frames = await measured(ways, async ({ base, headers }) => {
    const { origin, pathname } = new URL(base);
    const speed = await throughput(
      origin,
      { count: FRAMES, connections: CONNECTIONS },
      async (connection, number) => {
        // No more frames than Orthanc keeps in its memory.
        const instance = ctInstanceUid(0, 0, ((number % 200) * 7) % SLICES);
        const path = `${pathname}${STUDY}/series/${ctSeriesUid(0, 0)}/instances/${instance}/frames/1`;
        const bytes = await connection.send(path, { accept: OCTETS, ...headers });
        if (bytes < 524_288) throw new Error(`a frame of ${bytes} bytes`);
      },
    );
    return { speed, requests: FRAMES };
  });
  return [
    ...figures('a 157 MB study', 'MB/s', study, 0.95),
    ...figures('frames of 512 KiB, eight at once', 'frames/s', frames, 0.85),
  ];
}

type Measured<Name extends string> = Record<Name, { median: number; ratio: number; processor: number }>;

/** Measures each way in turn. @returns the median, its ratio to the first way, and milliseconds of processor for a request */
async function measured<Name extends string>(
  ways: Record<Name, Way>,
  once: (way: Way) => Promise<{ speed: number; requests: number }>,
): Promise<Measured<Name>> {
  const names = Object.keys(ways) as Name[];
  const total = new Map(names.map((name) => [name, { processor: 0, requests: 0 }]));
  const spent = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + processCost(pid).processor, 0);
  const contender = (name: Name) => async () => {
    const { pids } = ways[name];
    const before = spent(pids);
    const { speed, requests } = await once(ways[name]);
    const sum = total.get(name)!;
    sum.processor += spent(pids) - before;
    sum.requests += requests;
    return speed;
  };
  const contenders = Object.fromEntries(names.map((name) => [name, contender(name)])) as Record<
    Name,
    () => Promise<number>
  >;
  // The gateway compiles its code while it is used: nginx and Orthanc are compiled.
  for (let round = 0; round < WARM_UP; round++) for (const name of names) await once(ways[name]);
  const results = await alternate(contenders, ROUNDS);
  const withCost = names.map((name) => {
    const { processor, requests } = total.get(name)!;
    return [name, { ...results[name], processor: (processor * 1000) / requests }];
  });
  return Object.fromEntries(withCost) as Measured<Name>;
}

function figures(
  what: string,
  unit: string,
  { alone, accel, gateway, direct }: Measured<'alone' | 'accel' | 'gateway' | 'direct'>,
  atLeast: number,
): Figure[] {
  return [
    { what: `Orthanc itself, ${what}`, value: direct.median, unit },
    { what: '… nginx alone', value: alone.median, unit },
    { what: '… nginx alone, processor for a request', value: alone.processor, unit: 'ms' },
    { what: '… the gateway alone', value: gateway.median, unit },
    { what: '… the gateway alone, processor for a request', value: gateway.processor, unit: 'ms' },
    { what: '… nginx with the gateway (ACCEL)', value: accel.median, unit },
    { what: '… nginx with the gateway, processor for a request', value: accel.processor, unit: 'ms' },
    { what: '… nginx with the gateway beside nginx alone', value: accel.ratio, unit: '×', atLeast },
  ];
}
