import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  variedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { startChild } from '../../../gateway/test/setup/child.ts';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { startTcpProxy, type TcpProxy } from '../../../gateway/test/setup/tcp-proxy.ts';
import { LONG } from '../../../gateway/test/setup/long.ts';
import { longTest, testEach } from '../../../gateway/test/setup/usual-run.ts';
import { Tag, TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { dataSetOf, openDimseOrthanc, openDimseSide, OUR_AE, type DimseOrthanc } from '../test/dimse.ts';
import { RetrievalCache } from './dicom-dimse/cache.ts';
import type { ImagingSource, Target } from './source.ts';
import { timeAwake } from '../../../gateway/test/setup/processor-time.ts';

const run = promisify(execFile);
const all = variedDicomFiles().filter(({ studyUid, importsInOrthanc }) => studyUid && importsInOrthanc);
const of = (folder: string) => all.filter(({ file }) => file.startsWith(`${folder}/`));
const path = ({ file }: { file: string }) => sharedDataPath('dicom', file);

async function uids(source: ImagingSource, target: Target, signal?: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for await (const { sopInstanceUid, stream } of source.retrieve(target, '*', signal)) {
    await stream.toArray();
    found.push(sopInstanceUid!);
  }
  return found.sort();
}

/** Returns the directories of kept retrievals. */
async function kept(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => existsSync(join(directory, name, 'entry.json')));
}

/** Returns the files of a directory tree. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

async function eventually(holds: () => boolean | Promise<boolean>, milliseconds: number): Promise<boolean> {
  for (const end = Date.now() + milliseconds; Date.now() < end; await delay(20))
    if (await holds()) return true;
  return false;
}

describeWithSharedData('dicom-dimse (DW-16)', () => {
  const ct = of('ct-head-ge');
  const study = { studyUid: ct[0]!.studyUid! };
  const expected = ct.map(({ sopInstanceUid }) => sopInstanceUid).sort();
  const files = [...ct, ...of('us-still'), ...of('charset'), ...of('sr'), ...of('pt')];
  let pacs: DimseOrthanc;
  let proxy: TcpProxy;
  const endpoint = () => `dimse://127.0.0.1:${proxy.port}`;

  beforeAll(async () => {
    // Orthanc converts transfer syntaxes that getscu, the other receiver, does not accept.
    const configuration = { TranscodeDicomProtocol: true };
    pacs = await openDimseOrthanc(files.map(path), { configuration });
    proxy = await startTcpProxy(pacs.orthanc.dicomPort);
  });
  beforeEach(() => Object.assign(proxy, { made: 0, cutAfter: Infinity }));
  afterAll(async () => {
    await proxy?.stop();
    await pacs?.stop();
  });

  /** Runs work with a new node, whose cache is empty. */
  async function withSide<T>(
    work: (side: Awaited<ReturnType<typeof openDimseSide>>) => Promise<T>,
    maxBytes?: number,
  ) {
    const side = await openDimseSide(maxBytes);
    try {
      return await work(side);
    } finally {
      await side.stop();
    }
  }

  longTest('IA-21 receives every data set byte for byte as DCMTK', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'getscu-'));
    const source = pacs.source({ endpoint: pacs.endpoint });
    for (const studyUid of new Set(files.map((file) => file.studyUid!))) {
      const own = join(directory, studyUid);
      await mkdir(own);
      await run('getscu', [
        '+B',
        '-S',
        '-aet',
        OUR_AE,
        '-aec',
        'ORTHANC',
        '-od',
        own,
        '-k',
        'QueryRetrieveLevel=STUDY',
        '-k',
        `StudyInstanceUID=${studyUid}`,
        '127.0.0.1',
        String(pacs.orthanc.dicomPort),
      ]);
      const judged = await Promise.all((await readdir(own)).map((name) => readFile(join(own, name))));
      for await (const { stream, transferSyntax } of source.retrieve({ studyUid }, '*')) {
        const ours = dataSetOf(Buffer.concat(await stream.toArray()));
        // Orthanc converts objects in other transfer syntaxes for getscu.
        if (transferSyntax === TransferSyntax.ExplicitVRLittleEndian)
          expect(judged.some((file) => dataSetOf(file).equals(ours))).toBe(true);
      }
      expect(judged.length).toBe(files.filter((file) => file.studyUid === studyUid).length);
    }
    await rm(directory, { recursive: true });
  });

  it('keeps data sets as stored when the PACS does', async () => {
    const source = pacs.source({ endpoint: pacs.endpoint });
    for await (const { stream, sopInstanceUid } of source.retrieve(study, '*')) {
      const file = ct.find((file) => file.sopInstanceUid === sopInstanceUid)!;
      const ours = dataSetOf(Buffer.concat(await stream.toArray()));
      expect(ours.equals(dataSetOf(await readFile(path(file))))).toBe(true);
    }
  });

  it('reads names in every character set', async () => {
    const [unicode, latin] = [
      await openDimseOrthanc(of('charset').map(path), { configuration: { DefaultEncoding: 'Utf8' } }),
      await openDimseOrthanc(of('charset').map(path)),
    ];
    try {
      const names = async ({ source, endpoint }: DimseOrthanc) => {
        const rows = await source({ endpoint }).search({
          level: 'study',
          match: new Map([[Tag.PatientName, ['*']]]),
          includeField: [],
        });
        return JSON.stringify(rows.map((row) => row[Tag.PatientName]?.Value));
      };
      const all = await names(unicode);
      for (const name of [
        'Jérôme',
        'Διονυσιος',
        'Люкceмбypг',
        '山田',
        'שרון',
        '王^小東',
        'やまだ',
        '홍^길동',
        'ﾔﾏﾀﾞ',
      ]) {
        expect(all).toContain(name);
      }
      // By default Orthanc answers in Latin-1, whatever the character set of the request.
      expect(await names(latin)).toContain('Buc^Jérôme');
    } finally {
      await Promise.all([unicode.stop(), latin.stop()]);
    }
  });

  it('SM-18 checks the archive by C-ECHO', async () => {
    await expect(pacs.source({ endpoint: pacs.endpoint }).check!()).resolves.toBeUndefined();
  });

  it.each(['c-get', 'c-move'] as const)(
    'streams by %s while objects arrive, with one retrieval for all requests',
    async (retrieval) => {
      const source = pacs.source({ endpoint: endpoint(), retrieval });
      // The series as target has another key in the cache.
      const target = { ...study, seriesUid: ct[0]!.seriesUid! };
      pacs.node.cache.clear();
      const found = await Promise.all([uids(source, target), uids(source, target), source.metadata(target)]);
      expect(found[0]).toEqual(expected);
      expect(found[1]).toEqual(expected);
      expect(found[2].map(({ sopInstanceUid }) => sopInstanceUid).sort()).toEqual(expected);
      // One association for the plan, one for the retrieval.
      expect(proxy.made).toBe(2);
    },
  );

  it('serves from the cache, also after a restart, until the PACS has more', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dimse-cache-'));
    const first = await openDimseSide(1e9, directory);
    expect(await uids(first.source({ endpoint: endpoint() }), study)).toEqual(expected);
    await first.stop();
    await mkdir(join(directory, 'left-over'));
    await writeFile(join(directory, 'left-over', '1.dcm'), 'cut off');
    await writeFile(join(directory, 'incoming', 'left.part'), 'cut off');

    const second = await openDimseSide(1e9, directory);
    expect(await readdir(join(directory, 'incoming'))).toEqual([]);
    expect(existsSync(join(directory, 'left-over'))).toBe(false);
    const source = second.source({ endpoint: endpoint() });
    proxy.made = 0;
    expect(await uids(source, study)).toEqual(expected);
    const one = { ...study, seriesUid: ct[0]!.seriesUid!, instanceUid: ct[0]!.sopInstanceUid };
    const { frames } = await source.frames(one, [1]);
    for await (const frame of frames) expect(frame.length).toBe(512 * 512 * 2);
    // The archive was asked once for its instances, and nothing was retrieved.
    expect(proxy.made).toBe(1);

    const extra = Buffer.from(
      (await readFile(path(ct[0]!)))
        .toString('latin1')
        .replaceAll(ct[0]!.sopInstanceUid, `${ct[0]!.sopInstanceUid.slice(0, -3)}999`),
      'latin1',
    );
    const [id] = await pacs.orthanc.upload([extra]);
    const third = second.source({ endpoint: endpoint() });
    expect(await uids(third, study)).toHaveLength(expected.length + 1);
    await fetch(`${pacs.orthanc.url}/instances/${id}`, {
      method: 'DELETE',
      headers: { authorization: pacs.orthanc.authorization },
    });
    await second.stop();
    await rm(directory, { recursive: true });
  });

  it('evicts the least recently used retrieval first, and serves a too large one without keeping it', () =>
    withSide(async (side) => {
      const source = side.source({ endpoint: endpoint() });
      expect(await uids(source, study)).toEqual(expected);
      expect(await eventually(async () => (await readdir(side.directory)).length === 1, 1000)).toBe(true);
      const small = [...of('us-still'), ...of('pt')].map(({ studyUid }) => ({ studyUid: studyUid! }));
      for (const target of small) await uids(source, target);
      const entries = await kept(side.directory);
      expect(entries.length).toBeGreaterThan(0);
      expect(entries.length).toBeLessThan(new Set(small.map(({ studyUid }) => studyUid)).size);
      proxy.made = 0;
      await uids(source, small.at(-1)!);
      // The archive is not asked again within seconds.
      expect(proxy.made).toBe(0);
    }, 250_000));

  it('DW-26 retrieves a study again that has other instances, but as many as before', async () => {
    const studyUid = '1.2.41';
    const objects = smallObjects({ studyUid, patientId: 'OWN', instances: 4 });
    const archive = await openDimseOrthanc(objects.slice(0, 3));
    const named = (...numbers: number[]) => numbers.map((number) => `${studyUid}.1.${number}`);
    try {
      expect(await uids(archive.source({ endpoint: archive.endpoint }), { studyUid })).toEqual(
        named(1, 2, 3),
      );
      const { url, authorization, upload } = archive.orthanc;
      const [second] = await upload([objects[1]!]);
      await fetch(`${url}/instances/${second}`, { method: 'DELETE', headers: { authorization } });
      await upload([objects[3]!]);
      // A new source, which has not asked the archive within the last seconds.
      expect(await uids(archive.source({ endpoint: archive.endpoint }), { studyUid })).toEqual(
        named(1, 3, 4),
      );
    } finally {
      await archive.stop();
    }
  });

  const DAMAGES: [what: string, damage: (file: string, directory: string) => Promise<void>][] = [
    ['the directory is gone', (_, directory) => rm(directory, { recursive: true })],
    ['a file is gone', (file) => rm(file)],
    ['a file has changed', (file) => writeFile(file, 'another')],
  ];
  testEach(DAMAGES, (_, row) => row !== 1)('DW-23 retrieves a kept study again when %s', (_what, damage) =>
    withSide(async (side) => {
      const source = side.source({ endpoint: endpoint() });
      expect(await uids(source, study)).toEqual(expected);
      const [entry] = await kept(side.directory);
      await damage(join(side.directory, entry!, '1.dcm'), side.directory);
      expect(await uids(source, study)).toEqual(expected);
      expect(await source.metadata(study)).toHaveLength(expected.length);
    }),
  );

  it('keeps nothing on a nearly full disk', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dimse-full-'));
    let free = 1e12;
    const cache = new RetrievalCache(directory, 1e9, () => free);
    const retrieved = async (key: string) => {
      const holding = await cache.begin();
      await cache.keep(key, { holding, count: 0, identity: '' });
    };
    await retrieved('a');
    expect(await kept(directory)).toHaveLength(1);
    free = 1e6;
    await retrieved('b');
    cache.grow(1);
    expect(await eventually(async () => (await readdir(directory)).length === 1, 1000)).toBe(true);
    expect([cache.get('a'), cache.get('b')]).toEqual([undefined, undefined]);
    await rm(directory, { recursive: true });
  });

  it('DW-26 keeps nothing for more than four hours, or incomplete, also after a restart', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dimse-age-'));
    let now = Date.now();
    const open = () => new RetrievalCache(directory, 1e9, undefined, () => now);
    const first = open();
    await first.keep('old', { holding: await first.begin(), count: 0, identity: 'i' });
    now += 3 * 3600 * 1000;
    await first.keep('short', { holding: await first.begin(), count: 2, identity: 'i' });
    expect(first.get('old')).toMatchObject({ identity: 'i', count: 0 });
    const second = open();
    expect([second.get('old')?.identity, second.get('short')]).toEqual(['i', undefined]);
    now += 1.5 * 3600 * 1000;
    expect([first.get('old'), second.get('old'), open().get('old')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await eventually(async () => (await kept(directory)).length === 0, 1000)).toBe(true);
    await rm(directory, { recursive: true });
  });

  it('DW-13 fails when an association breaks, and keeps nothing', () =>
    withSide(async (side) => {
      proxy.cutAfter = 3_000_000;
      const source = side.source({ endpoint: endpoint() });
      const streamed: string[] = [];
      const reading = async () => {
        for await (const { stream, sopInstanceUid } of source.retrieve(study, '*')) {
          await stream.toArray();
          streamed.push(sopInstanceUid!);
        }
      };
      await expect(reading()).rejects.toMatchObject({
        code: 'unavailable',
        details: { service: 'imaging', retryAfter: 5 },
      });
      expect(streamed.length).toBeGreaterThan(0);
      expect(streamed.length).toBeLessThan(expected.length);
      expect(await kept(side.directory)).toEqual([]);
      expect(await eventually(async () => (await readdir(side.directory)).length === 1, 1000)).toBe(true);
      expect(await readdir(join(side.directory, 'incoming'))).toEqual([]);
      // The next request starts a new retrieval.
      proxy.cutAfter = Infinity;
      expect(await uids(source, study)).toEqual(expected);
    }));

  it('ends a retrieval within a second after its last client has left, and not before', () =>
    withSide(async (side) => {
      const source = side.source({ endpoint: endpoint() });
      const leaving = new AbortController();
      const left = source.retrieve(study, '*', leaving.signal)[Symbol.asyncIterator]();
      await left.next();
      const other = uids(source, study);
      leaving.abort();
      await expect(left.next()).rejects.toThrow();
      expect(await other).toEqual(expected);
      side.node.cache.clear();

      await pacs.orthanc.freeze();
      try {
        const alone = new AbortController();
        const waiting = source.metadata(study, alone.signal);
        expect(await eventually(() => proxy.open > 0, 2000)).toBe(true);
        alone.abort();
        await expect(waiting).rejects.toThrow();
        expect(await eventually(() => proxy.open === 0, 1000)).toBe(true);
      } finally {
        pacs.orthanc.thaw();
      }
    }));

  describe.each(['c-get', 'c-move'] as const)('without room for a study, by %s', (retrieval) => {
    // Instances that have arrived are treated the same: `npm test` has these tests with C-GET only.
    const either = retrieval === 'c-get' ? it : longTest;

    it('deletes each instance after it was read, and makes the archive wait for its readers', async () => {
      const tight = await openDimseOrthanc(ct.map(path), { maxBytes: 1 });
      try {
        const source = tight.source({ endpoint: tight.endpoint, retrieval });
        const read: string[] = [];
        let most = 0;
        for await (const { stream, sopInstanceUid } of source.retrieve(study, '*')) {
          await stream.toArray();
          await delay(20);
          most = Math.max(most, (await filesBelow(tight.directory)).length);
          read.push(sopInstanceUid!);
        }
        expect(read.sort()).toEqual(expected);
        // The instance that is read, those ahead of it, and the one that arrives.
        expect(most).toBeLessThanOrEqual(6);
        expect(await source.metadata(study)).toHaveLength(expected.length);
        const one = { ...study, seriesUid: ct[0]!.seriesUid!, instanceUid: ct[0]!.sopInstanceUid };
        const { frames } = await source.frames(one, [1]);
        for await (const frame of frames) expect(frame.length).toBe(512 * 512 * 2);
        expect(await eventually(async () => (await filesBelow(tight.directory)).length === 0, 1000)).toBe(
          true,
        );
      } finally {
        await tight.stop();
      }
    });

    either('gives everything to two readers at different times', async () => {
      const tight = await openDimseOrthanc(ct.map(path), { maxBytes: 1 });
      try {
        const source = tight.source({ endpoint: tight.endpoint, retrieval });
        const early = uids(source, study);
        await delay(100);
        expect(await Promise.all([early, uids(source, study)])).toEqual([expected, expected]);
      } finally {
        await tight.stop();
      }
    });

    either('does not let a stalled client slow down others, and still gives it everything', async () => {
      const studyUid = '1.2.40';
      const tight = await openDimseOrthanc(smallObjects({ studyUid, patientId: 'OWN', instances: 40 }), {
        maxBytes: 1,
      });
      try {
        const source = tight.source({ endpoint: tight.endpoint, retrieval });
        const stalled = source.retrieve({ studyUid }, '*')[Symbol.asyncIterator]();
        const first = stalled.next();
        let most = 0;
        const watching = setInterval(
          () => void filesBelow(tight.directory).then(({ length }) => (most = Math.max(most, length))),
          20,
        );
        const whole = async () => expect(await uids(source, { studyUid })).toHaveLength(40);
        expect(await timeAwake(whole)).toBeLessThan(5000);
        clearInterval(watching);
        expect(most).toBeLessThan(30);
        const received: string[] = [];
        for (let next = await first; !next.done; next = await stalled.next()) {
          await next.value.stream.toArray();
          received.push(next.value.sopInstanceUid!);
        }
        expect(new Set(received).size).toBe(40);
        expect(received).toHaveLength(40);
      } finally {
        await tight.stop();
      }
    });

    either('answers 503 for an object that cannot be written, and serves the next one', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'full-disk-'));
      const small = of('charset')[0]!.studyUid!;
      const bounded = await openDimseOrthanc([...ct, ...of('charset')].map(path));
      await bounded.node.close();
      // Files of at most 128 kB: RLIMIT_FSIZE in blocks of 512 bytes. An image has half a megabyte.
      const script = 'trap "" XFSZ; ulimit -f 256; exec "$@"';
      const { stdout } = await run('/bin/sh', [
        '-c',
        script,
        'sh',
        process.execPath,
        '--import',
        'tsx',
        join(import.meta.dirname, '../test/full-disk.child.ts'),
        directory,
        bounded.endpoint,
        retrieval,
        String(bounded.port),
        study.studyUid,
        small,
      ]).finally(() => bounded.stop());
      expect(JSON.parse(stdout)).toEqual([{ code: 'unavailable', retryAfter: 60 }, 1]);
      expect(await kept(directory)).toHaveLength(1);
      expect(await readdir(join(directory, 'incoming'))).toEqual([]);
      await rm(directory, { recursive: true });
    });

    either('DW-13 fails when the archive is killed during the retrieval, and keeps nothing', async () => {
      // Without a cache the archive waits for readers, and so is killed before it has sent everything.
      const dying = await openDimseOrthanc(ct.map(path), { maxBytes: 1 });
      try {
        const source = dying.source({ endpoint: dying.endpoint, retrieval });
        let read = 0;
        const reading = async () => {
          for await (const { stream } of source.retrieve(study, '*')) {
            await stream.toArray();
            if (++read === 2) await dying.orthanc.kill();
          }
        };
        await expect(reading()).rejects.toMatchObject({ code: 'unavailable', details: { retryAfter: 5 } });
        expect(read).toBeLessThan(expected.length);
        expect(await kept(dying.directory)).toEqual([]);
        expect(await eventually(async () => (await filesBelow(dying.directory)).length === 0, 1000)).toBe(
          true,
        );
      } finally {
        await dying.stop();
      }
    });
  });

  it('receives an object that is as large as the write buffer', async () => {
    const large = of('mr-multiframe').find(({ bytes }) => bytes > 1024 * 1024)!;
    const archive = await openDimseOrthanc([path(large)]);
    try {
      const source = archive.source({ endpoint: archive.endpoint });
      for (let times = 0; times < (LONG ? 8 : 2); times++) {
        archive.node.cache.clear();
        expect(await uids(source, { studyUid: large.studyUid! })).toEqual([large.sopInstanceUid]);
      }
    } finally {
      await archive.stop();
    }
  });

  it('releases the cache when a client leaves while its frames are opened', async () => {
    const deflated = all.find(({ file }) => file === 'ts-matrix/image_dfl.dcm')!;
    const { studyUid, seriesUid, sopInstanceUid: instanceUid } = deflated;
    const target = { studyUid: studyUid!, seriesUid: seriesUid!, instanceUid };
    const archive = await openDimseOrthanc([path(deflated)]);
    try {
      const source = archive.source({ endpoint: archive.endpoint });
      await uids(source, target);
      const leaving = new AbortController();
      const asked = source.frames(target, [1], leaving.signal).catch((error: unknown) => error);
      // Its file is known now, and is being inflated.
      await new Promise((next) => setImmediate(next));
      leaving.abort(new Error('left'));
      await asked;
      archive.node.cache.clear();
      expect(await eventually(async () => (await filesBelow(archive.directory)).length === 0, 1000)).toBe(
        true,
      );
    } finally {
      await archive.stop();
    }
  });

  it('gives a study and one of its series completely when both are retrieved by C-MOVE at once', async () => {
    const source = pacs.source({ endpoint: pacs.endpoint, retrieval: 'c-move' });
    pacs.node.cache.clear();
    const series = { ...study, seriesUid: ct[0]!.seriesUid! };
    expect(await Promise.all([uids(source, study), uids(source, series)])).toEqual([expected, expected]);
  });

  it('opens at most 4 associations for searches, and lets a waiting request leave', async () => {
    const source = pacs.source({ endpoint: endpoint() });
    const search = (signal?: AbortSignal) =>
      source.search({ level: 'study', match: new Map(), includeField: [] }, signal);
    await pacs.orthanc.freeze();
    const asking = Array.from({ length: 24 }, () => search());
    try {
      const leaving = new AbortController();
      const left = search(leaving.signal);
      expect(await eventually(() => proxy.made === 4, 2000)).toBe(true);
      leaving.abort(new Error('left'));
      await expect(left).rejects.toThrow('left');
      await delay(200);
      expect(proxy.made).toBe(4);
    } finally {
      pacs.orthanc.thaw();
    }
    const rows = await Promise.all(asking);
    expect(new Set(rows.map(({ length }) => length)).size).toBe(1);
    expect(proxy.made).toBe(24);
  });

  it('says for A801 of DCMTK that the gateway is not a destination of the archive', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dcmqrscp-'));
    const port = await freePort();
    const settings = join(directory, 'dcmqrscp.cfg');
    await mkdir(join(directory, 'QR'));
    await writeFile(
      settings,
      [
        `NetworkTCPPort = ${port}`,
        'MaxPDUSize = 16384',
        'MaxAssociations = 16',
        'HostTable BEGIN',
        'HostTable END',
        'VendorTable BEGIN',
        'VendorTable END',
        'AETable BEGIN',
        `QR ${join(directory, 'QR')} RW (9, 1024mb) ANY`,
        'AETable END',
        '',
      ].join('\n'),
    );
    const echo = () => run('echoscu', ['-aec', 'QR', '127.0.0.1', String(port)]);
    const archive = await startChild('dcmqrscp', ['-c', settings], () => echo().then(() => true));
    try {
      await run('storescu', ['-aec', 'QR', '127.0.0.1', String(port), path(ct[0]!)]);
      const source = pacs.source({
        endpoint: `dimse://127.0.0.1:${port}`,
        calledAe: 'QR',
        ae: 'NOBODY',
        retrieval: 'c-move',
      });
      await expect(uids(source, study)).rejects.toMatchObject({
        code: 'bad_gateway',
        message: expect.stringMatching(/does not know where to send them.*\(images\.ae\)/) as string,
      });
    } finally {
      await archive.end();
      await rm(directory, { recursive: true });
    }
  });

  describe('an archive that checks the called AE title', () => {
    let strict: DimseOrthanc;
    beforeAll(async () => {
      strict = await openDimseOrthanc(ct.slice(0, 1).map(path), {
        configuration: { DicomCheckCalledAet: true },
      });
    });
    afterAll(() => strict?.stop());

    it.each<[string, Partial<Parameters<DimseOrthanc['source']>[0]>, string, RegExp]>([
      ['a host that is away', { endpoint: 'dimse://127.0.0.1:1' }, 'unavailable', /cannot be reached/],
      [
        'an unknown host name',
        { endpoint: 'dimse://archive.invalid:104' },
        'unavailable',
        /cannot be reached/,
      ],
      ['a wrong called AE title', { calledAe: 'SOMEBODY' }, 'bad_gateway', /images\.calledAe/],
      ['an unknown destination', { ae: 'NOBODY', retrieval: 'c-move' }, 'bad_gateway', /failed/],
    ])('gives a clear message for %s', async (_name, config, code, words) => {
      const source = strict.source({ endpoint: strict.endpoint, ...config });
      const asking = uids(source, study);
      await expect(asking).rejects.toMatchObject({ code, message: expect.stringMatching(words) as string });
    });
  });
});
