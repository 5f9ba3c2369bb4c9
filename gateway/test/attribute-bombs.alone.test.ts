/** DW-24: stored objects that are small on disk and large once they are read harm no other caller. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ATTRIBUTE_BOMBS } from './setup/attribute-bombs.ts';
import { LONG } from './setup/long.ts';
import { smallObjects } from './setup/small-objects.ts';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';
import { processorTimeOf } from './setup/processor-time.ts';

const EXPLICIT = '1.2.840.10008.1.2.1';
const DAMAGED =
  /The stored object is damaged\. It has more than .* raise limits\.objectElements of the tenant/;

interface Answer {
  status: number;
  body: Buffer;
}

const rowsOf = ({ body }: Answer) => JSON.parse(String(body)) as unknown[];

describe('DW-24 a folder', () => {
  const directory = mkdtempSync(join(tmpdir(), 'attribute-bombs-'));
  const studyUid = (name: string) => `1.2.${ATTRIBUTE_BOMBS.findIndex((bomb) => bomb.name === name) + 10}`;
  let gateway: WatchedGateway;

  async function get(path: string, accept = '*/*'): Promise<Answer> {
    const { statusCode, body } = await request(`${gateway.url}/bombs${path}`, { headers: { accept } });
    return { status: statusCode, body: Buffer.from(await body.arrayBuffer()) };
  }
  const series = (uid: string, rest: string, accept?: string) =>
    get(`/dicomweb/studies/${uid}/series/${uid}.1${rest}`, accept);
  const instance = (uid: string, number: number, rest: string, accept?: string) =>
    series(uid, `/instances/${uid}.1.${number}${rest}`, accept);
  async function metadataByGraphql(uid: string, keywords: string) {
    const query = `{ ImagingStudy(id: "${uid}") { series { instance { uid metadata${keywords} } } } }`;
    const { body } = await request(`${gateway.url}/bombs/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    return (await body.json()) as { data: unknown; errors?: { message: string }[] };
  }
  const instancesFound = async (uid: string) => {
    const answer = await get(`/dicomweb/studies/${uid}/instances`);
    return answer.status === 200 ? rowsOf(answer).length : answer.status;
  };

  beforeAll(async () => {
    const folder = join(directory, 'images');
    mkdirSync(folder);
    writeFileSync(join(folder, '0-first.dcm'), smallObjects({ studyUid: '1.2.3', patientId: 'GOOD' })[0]!);
    writeFileSync(join(folder, 'z-last.dcm'), smallObjects({ studyUid: '1.2.4', patientId: 'GOOD' })[0]!);
    for (const { name, file } of ATTRIBUTE_BOMBS) {
      const uid = studyUid(name);
      const [, beside] = smallObjects({ studyUid: uid, patientId: 'BAD', instances: 2 });
      writeFileSync(join(folder, `${uid}.1.dcm`), file(uid));
      writeFileSync(join(folder, `${uid}.2.dcm`), beside!);
    }
    gateway = await startWatchedGateway({
      tenants: {
        bombs: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          images: { type: 'folder', lookup: 'all-studies-on-server', path: folder },
        },
      },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('is indexed while others are served, and its instances are found', async () => {
    const harm = await harmOf(gateway, async () => {
      await get('/dicomweb/studies');
      const isIndexed = async () => expect(await instancesFound('1.2.4')).toBe(1);
      await vi.waitFor(isIndexed, { timeout: 60_000, interval: 200 });
    });
    for (const { name, readable } of ATTRIBUTE_BOMBS)
      expect([name, await instancesFound(studyUid(name))]).toEqual([name, readable === 'nothing' ? 1 : 2]);
    const { status, body } = await get('/fhir/ImagingStudy?_count=100');
    const { total } = JSON.parse(String(body)) as { total: number };
    expect([status, total]).toEqual([200, ATTRIBUTE_BOMBS.length + 2]);
    expectUnharmed(harm);
  }, 120_000);

  const inRun = ATTRIBUTE_BOMBS.filter((_, number) => LONG || number % 5 === 0);
  describe.each(inRun)('with $name', ({ name, readable, file }) => {
    const uid = studyUid(name);
    const [whole, pixels, stored] = [
      readable === 'everything',
      readable === 'everything' || readable === 'pixels',
      readable !== 'nothing',
    ];
    /** Expects the answer to be complete, or a refusal with the reason. */
    const expectGiven = (answer: Answer, isGiven: boolean) => {
      if (isGiven) return expect(answer.status).toBe(200);
      expect([answer.status, String(answer.body)]).toEqual(
        stored ? [502, expect.stringMatching(DAMAGED)] : [404, expect.any(String)],
      );
    };
    let answers: Record<string, Answer>;
    let graphql: { data: unknown; errors?: { message: string }[] }[];

    test('others are served meanwhile', async () => {
      // Code that a first request loads is no harm of the attack.
      for (const rest of ['/metadata', '/frames/1', '/rendered']) await instance('1.2.3', 1, rest);
      // The second has an error, which takes Apollo's executor.
      for (const uid of ['1.2.3', '1.2.9']) await metadataByGraphql(uid, '');
      const asked = {
        metadata: () => instance(uid, 1, '/metadata'),
        seriesMetadata: () => series(uid, '/metadata'),
        object: () => instance(uid, 1, '', 'application/dicom; transfer-syntax=*'),
        zip: () => get(`/dicomweb/studies/${uid}`, 'application/zip'),
        frame: () => instance(uid, 1, '/frames/1'),
        rendered: () => instance(uid, 1, '/rendered'),
        thumbnail: () => instance(uid, 1, '/thumbnail'),
        bulkData: () => instance(uid, 1, '/bulkdata/7FE00010'),
        transcoded: () => instance(uid, 1, '', `application/dicom; transfer-syntax=${EXPLICIT}`),
        wadoUri: () =>
          get(`/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.1`),
        besideMetadata: () => instance(uid, 2, '/metadata'),
        besideFrame: () => instance(uid, 2, '/frames/1'),
      };
      const harm = await harmOf(gateway, async () => {
        const given = Object.entries(asked).map(async ([name, ask]) => [name, await ask()] as const);
        answers = Object.fromEntries(await Promise.all(given));
        graphql = [];
        for (const keywords of ['', '(keywords: ["Rows", "FrameTimeVector"])'])
          graphql.push(await metadataByGraphql(uid, keywords));
      });
      expectUnharmed(harm);
    }, 120_000);

    test('metadata are complete, or refused with the reason', () => {
      expectGiven(answers['metadata']!, whole);
      // Metadata of a series are given for all of its instances or for none.
      expectGiven(answers['seriesMetadata']!, whole || !stored);
      if (whole) expect(rowsOf(answers['seriesMetadata']!)).toHaveLength(2);
      expect(answers['besideMetadata']!.status).toBe(200);
    });

    test('gives the object as it is stored, alone and in a zip', () => {
      const { object, zip } = answers;
      expect(object!.status).toBe(stored ? 200 : 404);
      if (stored) expect(object!.body.equals(file(uid))).toBe(true);
      expect(zip!.status).toBe(200);
    });

    test('frames, rendered images and other transfer syntaxes are complete, or refused with the reason', () => {
      const { frame, bulkData, besideFrame } = answers;
      expectGiven(frame!, pixels);
      expectGiven(bulkData!, pixels);
      expect(besideFrame!.status).toBe(200);
      for (const name of ['rendered', 'thumbnail', 'transcoded', 'wadoUri']) {
        const { status, body } = answers[name]!;
        expect([name, status]).toEqual([name, expect.toBeOneOf(stored ? [200, 502] : [404])]);
        if (status === 502) expect(String(body)).toMatch(/object is damaged\.|cannot be decoded\./);
      }
    });

    test('GraphQL gives the metadata, or an error with the reason', () => {
      for (const { data, errors = [] } of graphql) {
        expect(data).toMatchObject({ ImagingStudy: { series: [{ instance: expect.any(Array) }] } });
        const messages = errors.map(({ message }) => message).join();
        if (whole || !stored) expect(messages).toBe('');
        else expect(messages).toMatch(DAMAGED);
      }
    });

    test('refuses the same request again at once', async () => {
      expectGiven(await instance(uid, 1, '/metadata'), whole);
      if (whole || !stored) return;
      const again = async () => {
        for (let i = 0; i < 20; i++) await instance(uid, 1, '/metadata');
      };
      expect(await processorTimeOf(gateway.pid, again)).toBeLessThan(20 * 50);
    });
  });
});
