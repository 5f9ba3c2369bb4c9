/** DW-24: answers of an archive are parsed within bounds: metadata, searches, and objects that are parsed here. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ATTRIBUTE_BOMBS } from './setup/attribute-bombs.ts';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

const row = (studyUid: string) => ({
  '00080018': { vr: 'UI', Value: [`${studyUid}.1.1`] },
  '00100020': { vr: 'LO', Value: ['BAD'] },
  '0020000D': { vr: 'UI', Value: [studyUid] },
  '0020000E': { vr: 'UI', Value: [`${studyUid}.1`] },
});
const json = (studyUid: string, element = '') =>
  `[${JSON.stringify(row(studyUid)).slice(0, -1)}${element && `,${element}`}}]`;
const repeated = (text: string, count: number): string => Array<string>(count).fill(text).join();
const attributes = (count: number): string =>
  Array.from({ length: count }, (_, i) => `"${(0x31000000 + i).toString(16)}":{"vr":"LO"}`).join();
let nested = '{}';
for (let depth = 0; depth < 10_000; depth++) nested = `{"00081115":{"vr":"SQ","Value":[${nested}]}}`;

const DAMAGED = /The stored object is damaged\. It has more than .* limits\.objectElements of the tenant/;
const NONSENSE = /answer of the image archive is not valid/;
const TOO_MUCH = /answered more than \d+ MB/;

/** Answer of the archive to a `what` request for a study; other requests get a correct answer. */
type Bomb = readonly [
  name: string,
  what: 'metadata' | 'search' | 'object',
  body: string | Buffer,
  words: RegExp,
];
const OTHERS: readonly Bomb[] = [
  ['400,000 attributes', 'metadata', attributes(400_000), DAMAGED],
  ['1.5 million items', 'metadata', `"00400260":{"vr":"SQ","Value":[${repeated('{}', 1_500_000)}]}`, DAMAGED],
  ['3 million values', 'metadata', `"00181065":{"vr":"DS","Value":[${repeated('1', 3_000_000)}]}`, DAMAGED],
  ['40 MB of text', 'metadata', `"00204000":{"vr":"LT","Value":["${'x'.repeat(40e6)}"]}`, DAMAGED],
  ['sequences within each other', 'metadata', `"00081115":{"vr":"SQ","Value":[${nested}]}`, NONSENSE],
  ['100 MB of objects', 'metadata', `"00204000":{"vr":"LT","Value":["${'x'.repeat(1e6)}"]}`, TOO_MUCH],
  ['a row of 400,000 attributes', 'search', attributes(400_000), NONSENSE],
  ['100 MB of rows', 'search', `"00081030":{"vr":"LO","Value":["${'x'.repeat(1e5)}"]}`, TOO_MUCH],
];
const studyUid = (index: number) => `1.2.${index + 10}`;
const BOMBS: readonly Bomb[] = [
  ...OTHERS,
  ...ATTRIBUTE_BOMBS.filter(({ readable }) => readable === 'object').map(
    // The study UID is that of the requested object.
    ({ name, file }, i): [string, 'object', Buffer, RegExp] => [
      name,
      'object',
      file(studyUid(OTHERS.length + i)),
      DAMAGED,
    ],
  ),
];

let archive: Server;
let gateway: WatchedGateway;

function answer(url: string, response: ServerResponse): void {
  const [, uid = ''] = /studies\/([\d.]+)/.exec(url) ?? [];
  const bomb = BOMBS[Number(uid.split('.')[2]) - 10];
  if (/\/frames\//.test(url)) return void response.writeHead(406).end();
  const what = /metadata$/.test(url) ? 'metadata' : /\/(series|instances)\?/.test(url) ? 'search' : 'object';
  const [name, of, body] = bomb ?? [];
  if (/\/studies\?|\/series\?|\/instances\?|metadata$/.test(url)) {
    response.writeHead(200, { 'content-type': 'application/dicom+json' });
    const [, asked = uid] = /(?:StudyInstanceUID|0020000D)=([\d.]+)/.exec(url) ?? [];
    if (of !== what || Buffer.isBuffer(body)) return void response.end(json(asked));
    if (!/^100 MB/.test(name!)) return void response.end(json(uid, body));
    const one = json(uid, body).slice(1, -1);
    response.write('[');
    for (let bytes = one.length; bytes < 100e6; bytes += one.length + 1) response.write(`${one},`);
    return void response.end(`${one}]`);
  }
  response.writeHead(200, { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' });
  response.write('--b\r\nContent-Type: application/dicom\r\n\r\n');
  response.write(body);
  response.end('\r\n--b--\r\n');
}

beforeAll(async () => {
  archive = createServer(({ url = '' }, response) => answer(url, response));
  await new Promise<void>((resolve) => archive.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(archive.address() as AddressInfo).port}`;
  gateway = await startWatchedGateway({
    tenants: {
      bombs: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        images: { type: 'dicom-web', endpoint, lookup: 'all-studies-on-server' },
      },
    },
  });
});
afterAll(async () => {
  await gateway?.stop();
  archive?.closeAllConnections();
  archive?.close();
});

const PATHS = { metadata: ['/metadata', '/rendered'], search: [''], object: ['/frames/1'] };

test('DW-24 refuses answers above the bounds with the reason, and serves others meanwhile', async () => {
  const get = async (path: string) => {
    const { statusCode, body } = await request(`${gateway.url}/bombs/dicomweb/studies/${path}`);
    return { status: statusCode, text: await body.text() };
  };
  const instanceOf = (uid: string) => `${uid}/series/${uid}.1/instances/${uid}.1.1`;
  // Code that a first request loads is no harm of the attack.
  expect((await get(`${instanceOf('1.2.1')}/metadata`)).status).toBe(200);
  const answers: [name: string, path: string, status: number, text: string][] = [];
  const harm = await harmOf(gateway, async () => {
    for (const [index, [name, what]] of BOMBS.entries()) {
      const uid = studyUid(index);
      for (const rest of PATHS[what]) {
        const { status, text } = await get(what === 'search' ? `${uid}/instances` : instanceOf(uid) + rest);
        answers.push([name, rest, status, text]);
      }
    }
  });
  const expected = BOMBS.flatMap(([name, what, , words]) =>
    PATHS[what].map((rest) => [name, rest, 502, expect.stringMatching(words)]),
  );
  expect(answers).toEqual(expected);
  expect((await get(`${instanceOf('1.2.1')}/metadata`)).status).toBe(200);
  expectUnharmed(harm);
}, 120_000);
