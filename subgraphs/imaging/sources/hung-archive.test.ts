import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { timeAwake } from '../../../gateway/test/setup/processor-time.ts';
import { startFaultProxy, type FaultProxy } from '../../../gateway/test/setup/fault-proxy.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

/** An archive that accepts connections and answers nothing: the first caller waits for it, shortly if another has answered. */

const [HERE, THERE, FOREIGN] = ['1.2.1', '1.2.2', '1.2.3'];
/** Seconds: a caller that waits for the archive takes longer than all callers that do not. */
const PATIENCE = 20;
/** Number of requests that would take minutes if each waited. */
const MANY = 100;

describe.each<[how: string, of: (orthanc: Orthanc, port: (of: 'web' | 'dimse') => number) => object]>([
  [
    'DICOMweb',
    (orthanc, port) => orthancImages(orthanc, { endpoint: `http://127.0.0.1:${port('web')}/dicom-web` }),
  ],
  [
    'DIMSE',
    (orthanc, port) => ({
      type: 'dicom-dimse',
      lookup: 'studies-by-mrn',
      ae: 'GATEWAY',
      calledAe: orthanc.aet,
      endpoint: `dimse://127.0.0.1:${port('dimse')}`,
    }),
  ],
])('DW-18, DW-23 a hung archive by %s', (_how, imagesOf) => {
  let orthanc: Orthanc;
  let proxies: Record<'web' | 'dimse', FaultProxy>;
  let directory: string;
  let served: TestSubgraph;
  const logged: [level: string, line: object][] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hung-'));
    const files = (studyUid: string, patientId = 'MRN') =>
      smallObjects({ studyUid, patientId, instances: 2 });
    for (const [i, file] of files(HERE!).entries()) await writeFile(join(directory, `${i}.dcm`), file);
    orthanc = await startOrthanc({
      files: [...files(THERE!), ...files(FOREIGN!, 'OTHER')],
      modalities: { gateway: { aet: 'GATEWAY', port: 1 } },
    });
    proxies = {
      web: await startFaultProxy(() => Number(new URL(orthanc.url).port)),
      dimse: await startFaultProxy(() => orthanc.dicomPort),
    };
    const archive = { ...imagesOf(orthanc, (of) => proxies[of].port), patience: PATIENCE };
    const folder = { type: 'folder', path: directory, lookup: 'studies-by-mrn' };
    served = await testSubgraph([testTenant(archive, 'alone'), testTenant([folder, archive], 'both')], {
      own: testAccess([patient('own', 'MRN')]),
    });
    for (const level of ['warn', 'info'] as const)
      served.app.log[level] = (line: object) => void ('archive' in line && logged.push([level, line]));
  }, 60_000);
  afterAll(async () => {
    await served?.close();
    await Promise.all([proxies?.web.stop(), proxies?.dimse.stop(), orthanc?.stop()]);
    await rm(directory, { recursive: true, force: true });
  });

  const get = (path: string, tenant = 'alone') =>
    served.app.inject({ url: `/${tenant}${path}`, headers: { authorization: 'Bearer own', accept: '*/*' } });
  const list = async () => {
    const answer = await get('/dicomweb/studies', 'both');
    const uids = answer.json<{ '0020000D': { Value: [string] } }[]>().map((row) => row['0020000D'].Value[0]);
    return { status: answer.statusCode, uids: uids.sort(), warning: String(answer.headers['warning']) };
  };
  const whole = { status: 200, uids: [HERE, THERE], warning: 'undefined' };
  const part = { status: 200, uids: [HERE], warning: expect.stringMatching(/did not answer/) };

  test('costs the first list of several sources 1.5 s, and is asked again by probes only', async () => {
    expect(await list()).toEqual(whole);
    expect((await get('/dicomweb/studies')).statusCode).toBe(200);
    served.subgraph.invalidate();
    for (const proxy of Object.values(proxies)) proxy.hang();
    expect(await timeAwake(async () => expect(await list()).toEqual(part))).toBeLessThan(2000);
    expect(served.subgraph.awaySources()).toHaveLength(2);
    const times: number[] = [];
    for (let i = 0; i < MANY; i++)
      times.push(await timeAwake(async () => expect(await list()).toEqual(part)));
    expect(Math.max(...times)).toBeLessThan(1000);
  }, 120_000);

  test('IA-7 is refused alike for known, foreign and absent studies, with Retry-After', async () => {
    const refusals = await Promise.all(
      [THERE, FOREIGN, '1.2.99'].map((uid) => get(`/dicomweb/studies/${uid}/metadata`)),
    );
    for (const { statusCode, headers, body } of refusals) {
      expect([statusCode, headers['retry-after']]).toEqual([503, '5']);
      expect(body).toBe(refusals[0]!.body);
    }
  });

  test('is named with tenant and address by one line of the log, and by its state', async () => {
    expect(logged).toEqual([
      [
        'warn',
        {
          code: 'unavailable',
          service: 'imaging',
          reason: 'it answers no probe',
          tenant: 'alone, both',
          archive: expect.stringMatching(/^(http|dimse):\/\/127\.0\.0\.1:\d+/),
        },
      ],
    ]);
    const sources = served.subgraph.awaySources().sort((a, b) => (a.tenant! < b.tenant! ? -1 : 1));
    expect(sources).toMatchObject([
      { tenant: 'alone', source: expect.stringMatching(/^images\[0\]/) },
      { tenant: 'both', source: expect.stringMatching(/^images\[1\]/) },
    ]);
  });

  test('is whole again within five seconds after it answers', async () => {
    for (const proxy of Object.values(proxies)) await proxy.restore();
    await vi.waitFor(async () => expect(await list()).toEqual(whole), { timeout: 5000, interval: 100 });
    expect((await get(`/dicomweb/studies/${THERE}/metadata`)).statusCode).toBe(200);
    expect(logged.at(-1)).toEqual(['info', expect.objectContaining({ tenant: 'alone, both' })]);
    expect(served.subgraph.awaySources()).toEqual([]);
  }, 20_000);
});
