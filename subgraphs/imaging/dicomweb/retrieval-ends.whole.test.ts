/** Retrievals that end early: the client leaves, the archive dies, the file changes (DW-13, DW-15). */
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, readlink, rm, unlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { imageObject, SMALL } from '../../../gateway/test/setup/image-object.ts';
import { isInTurn, testEach } from '../../../gateway/test/setup/usual-run.ts';
import { patient, testAccess, testSubgraph, testTenant } from '../test/subgraph.ts';
import { startUpstream } from '../test/upstream.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const STUDY = '1.2.3';
const INSTANCE = `/dicomweb/studies/${STUDY}/series/${STUDY}.1/instances/${STUDY}.1.1`;
const URI = `/wado-uri?requestType=WADO&studyUID=${STUDY}&seriesUID=${STUDY}.1&objectUID=${STUDY}.1.1`;
/** Number of frames of the film in the folder: far more bytes than sockets take at once. */
const FRAME_COUNT = 12;
const FRAMES = Array.from({ length: FRAME_COUNT }, (_, index) => index + 1).join(',');

/** Every form of answer that takes more than a moment. */
const FORMS: [form: string, path: string, accept: string][] = [
  [
    'multipart',
    `/dicomweb/studies/${STUDY}`,
    'multipart/related; type="application/dicom"; transfer-syntax=*',
  ],
  ['zip of a study', `/dicomweb/studies/${STUDY}`, 'application/zip'],
  ['zip of an instance', INSTANCE, 'application/zip'],
  ['single part', INSTANCE, 'application/dicom; transfer-syntax=*'],
  ['frames', `${INSTANCE}/frames/${FRAMES}`, '*/*'],
  ['WADO-URI', `${URI}&contentType=application/dicom&transferSyntax=*`, '*/*'],
];

/** A third of the forms for each rule, and each form for a third of them. */
const inTurn = (rule: number) => (_form: unknown, row: number) => isInTurn([row, rule], 3);

async function serve(images: object) {
  const served = await testSubgraph([testTenant(images)], {
    own: testAccess([patient('own', 'BAD')]),
    other: testAccess([patient('other', 'SOMEBODY')]),
  });
  closing.push(() => served.close());
  const url = await served.app.listen({ port: 0, host: '127.0.0.1' });
  return (
    path: string,
    headers: Record<string, string> = {},
    method: 'GET' | 'HEAD' = 'GET',
    signal?: AbortSignal,
  ) =>
    // Keep-alive: if the connection is to close, undici 7.25 takes a cut answer for a complete one.
    request(`${url}/test${path}`, {
      method,
      headers: { authorization: 'Bearer own', ...headers },
      signal: signal ?? null,
    });
}

describe('from a folder', () => {
  const side = 1024;
  const described = { ...SMALL, rows: side, columns: side, numberOfFrames: FRAME_COUNT };

  async function folder() {
    const directory = await mkdtemp(join(tmpdir(), 'ends-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, 'large.dcm');
    const pixels = Buffer.alloc(side * side * FRAME_COUNT, 7);
    await writeFile(file, imageObject(STUDY, TransferSyntax.ExplicitVRLittleEndian, described, pixels));
    const get = await serve({ type: 'folder', path: directory, lookup: 'studies-by-mrn' });
    return { file, get };
  }

  /** Returns how often the process has the file open. */
  async function handles(file: string): Promise<number> {
    const open = await readdir('/proc/self/fd');
    const links = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return links.filter((link) => link === file).length;
  }

  testEach(FORMS, inTurn(0))(
    '%s: closes the file within a second after the client leaves',
    async (form, path, accept) => {
      const { file, get } = await folder();
      const { statusCode, body } = await get(path, { accept });
      expect(statusCode).toBe(200);
      await once(body, 'readable');
      // Much more will come than the sockets hold.
      if (form !== 'frames') expect(await handles(file)).toBe(1);
      body.on('error', () => undefined).destroy();
      await vi.waitFor(async () => expect(await handles(file)).toBe(0), { timeout: 10_000 });
    },
  );

  testEach(FORMS, inTurn(1))(
    '%s: HEAD leaves no file open, and has the headers of GET',
    async (_form, path, accept) => {
      const { file, get } = await folder();
      const head = await get(path, { accept }, 'HEAD');
      expect([head.statusCode, (await head.body.arrayBuffer()).byteLength]).toEqual([200, 0]);
      await vi.waitFor(async () => expect(await handles(file)).toBe(0), { timeout: 10_000 });
      const whole = await get(path, { accept });
      expect((await whole.body.arrayBuffer()).byteLength).toBeGreaterThan(side * side * FRAME_COUNT);
      const type = (value: unknown) => String(value).replace(/boundary=.*/, '');
      expect(type(head.headers['content-type'])).toBe(type(whole.headers['content-type']));
      expect(head.headers['content-length']).toBe(whole.headers['content-length']);
      expect(head.headers['etag']).toBe(whole.headers['etag']);
    },
  );

  testEach(FORMS, inTurn(2))(
    '%s: gives a file whole that is removed meanwhile, then answers 503 until it is known to be gone',
    async (_f, path, accept) => {
      const { file, get } = await folder();
      const { body } = await get(path, { accept });
      await once(body, 'readable');
      await unlink(file);
      expect((await body.arrayBuffer()).byteLength).toBeGreaterThan(side * side * FRAME_COUNT);
      const after = await get(path, { accept });
      expect(after.statusCode).toBe(503);
      expect(Number(after.headers['retry-after'])).toBeGreaterThan(0);
      await after.body.dump();
    },
  );

  testEach(FORMS, inTurn(3))('%s: answers 503 for a file that has just changed', async (_f, path, accept) => {
    const { file, get } = await folder();
    const before = await get(path, { accept }, 'HEAD');
    expect(before.statusCode).toBe(200);
    await appendFile(file, 'more');
    const after = await get(path, { accept });
    const body = (await after.body.json()) as { error: string };
    expect([after.statusCode, body.error]).toEqual([503, 'unavailable']);
  });

  it('DW-6 entity tags of instances and frames: 304 for callers who may have them, 404 for others', async () => {
    const { get } = await folder();
    const tags = new Set<string>();
    for (const [path, accept] of [
      [INSTANCE, 'application/dicom; transfer-syntax=*'],
      [INSTANCE, 'application/zip'],
      [`${INSTANCE}/frames/1`, '*/*'],
      [`${INSTANCE}/frames/2`, '*/*'],
      [`${INSTANCE}/frames/1`, 'application/octet-stream'],
    ] as const) {
      const first = await get(path, { accept });
      await first.body.dump();
      const etag = String(first.headers['etag']);
      tags.add(etag);
      const again = await get(path, { accept, 'if-none-match': `"x", ${etag}` });
      expect([again.statusCode, again.headers['etag'], await again.body.text()]).toEqual([304, etag, '']);
      expect(again.headers['cache-control']).toMatch(/^private/);
      const otherForm = await get(path, { accept: `${accept};q=0.9`, 'if-none-match': '"x"' });
      expect(otherForm.statusCode).toBe(200);
      await otherForm.body.dump();
      const stranger = await get(path, { accept, 'if-none-match': etag, authorization: 'Bearer other' });
      expect([stranger.statusCode, stranger.headers['etag']]).toEqual([404, undefined]);
      await stranger.body.dump();
    }
    expect(tags.size).toBe(5);
    const beyond = await get(`${INSTANCE}/frames/${FRAME_COUNT + 1}`, { 'if-none-match': [...tags][2]! });
    expect([beyond.statusCode, beyond.headers['etag']]).toEqual([404, undefined]);
    await beyond.body.dump();
  });
});

describe('from an archive', () => {
  const megabyte = Buffer.alloc(1_000_000, 7);
  const row = {
    '0020000D': { vr: 'UI', Value: [STUDY] },
    '0020000E': { vr: 'UI', Value: [`${STUDY}.1`] },
    '00080018': { vr: 'UI', Value: [`${STUDY}.1.1`] },
    '00100020': { vr: 'LO', Value: ['BAD'] },
    ...Object.fromEntries(
      Object.entries({ '00280002': 1, '00280010': 1000, '00280011': 1000, '00280100': 8, '00280101': 8 })
        .concat(Object.entries({ '00280102': 7, '00280103': 0 }))
        .map(([tag, value]) => [tag, { vr: 'US', Value: [value] }]),
    ),
    '00280004': { vr: 'CS', Value: ['MONOCHROME2'] },
    '7FE00010': { vr: 'OW', BulkDataURI: 'bulkdata/7FE00010' },
  };
  const PICTURES: [string, string, string][] = [
    ['rendered', `${INSTANCE}/rendered`, 'image/png'],
    ['WADO-URI picture', URI, 'image/png'],
  ];

  async function archive(rows: object[], answer: (response: ServerResponse) => unknown) {
    const upstream = await startUpstream(({ url }: IncomingMessage, response) => {
      const json = url!.includes('?') || url!.endsWith('/metadata');
      if (json) {
        return response
          .writeHead(200, { 'content-type': 'application/dicom+json' })
          .end(JSON.stringify(rows));
      }
      const type = /frames|bulkdata/.test(url!) ? 'application/octet-stream' : 'application/dicom';
      response.writeHead(200, { 'content-type': `multipart/related; type="${type}"; boundary=b` });
      response.write(`--b\r\nContent-Type: ${type}\r\n\r\n`);
      return answer(response);
    });
    closing.push(() => upstream.close());
    return serve({ type: 'dicom-web', endpoint: upstream.url, lookup: 'studies-by-mrn' });
  }

  /** Makes an answer that is sent until the connection closes; reading a frame ends earlier. */
  function endless() {
    const state = { sent: 0, begun: false, closed: false };
    const answer = async (response: ServerResponse) => {
      state.begun = true;
      response.once('close', () => (state.closed = true));
      for (; !response.destroyed && state.sent < 500; await delay(state.sent > 20 ? 20 : 1)) {
        if (response.writableNeedDrain) continue;
        state.sent++;
        response.write(megabyte);
      }
    };
    return { state, answer };
  }

  testEach([...FORMS, ...PICTURES], inTurn(4))(
    '%s: closes the connection within a second after the client leaves',
    async (_form, path, accept) => {
      const { state, answer } = endless();
      const get = await archive([row], answer);
      const leaving = new AbortController();
      // Frames are read completely before the answer begins: there the client leaves before it has an answer.
      const given = get(path, { accept }, 'GET', leaving.signal).then(
        ({ body }) => body.on('error', () => undefined),
        () => undefined,
      );
      await vi.waitFor(() => expect(state.sent).toBeGreaterThan(5), { timeout: 10_000 });
      expect(state.closed).toBe(false);
      leaving.abort();
      await given;
      await vi.waitFor(() => expect(state.closed).toBe(true), { timeout: 10_000 });
      expect(state.sent).toBeLessThan(100);
    },
  );

  testEach(
    FORMS.filter(([form]) => form !== 'frames'),
    inTurn(7),
  )('%s: HEAD reads only the beginning', async (_form, path, accept) => {
    const { state, answer } = endless();
    const get = await archive([row], answer);
    const head = await get(path, { accept }, 'HEAD');
    expect([head.statusCode, (await head.body.arrayBuffer()).byteLength]).toEqual([200, 0]);
    await vi.waitFor(() => expect(state.closed).toBe(true), { timeout: 10_000 });
    expect(state.sent).toBeLessThan(40);
  });

  testEach(FORMS, inTurn(5))(
    'DW-13 %s: an answer that is cut in the middle has no well-formed end',
    async (_form, path, accept) => {
      for (const cut of [
        (response: ServerResponse) => response.write(megabyte, () => response.destroy()),
        (response: ServerResponse) => response.end(megabyte),
      ]) {
        const get = await archive([row], cut);
        const whole = get(path, { accept }).then(async ({ statusCode, body }) => {
          await body.arrayBuffer();
          if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
        });
        await expect(whole).rejects.toThrow(/closed|terminated|aborted|answered 50|EOF/);
      }
    },
  );

  testEach([...FORMS, ...PICTURES], inTurn(6))(
    'IA-24 %s: does not begin a study of which one part is another patient’s',
    async (_form, path, accept) => {
      const { state, answer } = endless();
      const get = await archive([row, { ...row, '00100020': { vr: 'LO', Value: ['SOMEBODY'] } }], answer);
      const refused = await get(path, { accept });
      expect([refused.statusCode, ((await refused.body.json()) as { error: string }).error]).toEqual([
        404,
        'not_found',
      ]);
      expect(state.begun).toBe(false);
    },
  );
});
