import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { retrievedObjects } from '../../../gateway/test/setup/retrieved-objects.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

/**
 * A study that loses instances in one archive, while another still has all (DW-18): what is remembered of the first never
 * makes the study smaller.
 */

const MRN = 'MRN-1';
/** Instances of each study; the last two are lost. */
const ALL = 6;
const KINDS = ['folder', 'dicom-web', 'c-get'] as const;
const WAYS = ['metadata', 'instance rows', 'one instance', 'objects', 'zip'] as const;
const STUDIES = KINDS.flatMap((kind, at) => WAYS.map((way, n) => [kind, way, `1.11.${at}.${n}`] as const));

let directory: string;
let orthanc: Orthanc;
let served: TestSubgraph;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shrinking-'));
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  await Promise.all([first, second].map((path) => mkdir(path)));
  orthanc = await startOrthanc();
  for (const [kind, , uid] of STUDIES) {
    const objects = smallObjects({ studyUid: uid, patientId: MRN, instances: ALL });
    for (const [n, object] of objects.entries()) {
      await writeFile(join(second, `${uid}.${n}`), object);
      if (kind === 'folder') await writeFile(join(first, `${uid}.${n}`), object);
    }
    if (kind !== 'folder') await orthanc.upload(objects);
  }
  const lookup = 'studies-by-mrn';
  const folder = (path: string) => ({ type: 'folder', path, lookup });
  const dimse = { type: 'dicom-dimse', endpoint: `dimse://127.0.0.1:${orthanc.dicomPort}`, lookup };
  const byGet = { ...dimse, ae: 'GATEWAY', calledAe: orthanc.aet, retrieval: 'c-get' };
  served = await testSubgraph(
    [
      testTenant(folder(first), 'alone'),
      testTenant([folder(first), folder(second)], 'folder'),
      testTenant([orthancImages(orthanc), folder(second)], 'dicom-web'),
      testTenant([byGet, folder(second)], 'c-get'),
    ],
    { own: testAccess([patient('own', MRN)]) },
  );
}, 60_000);
afterAll(async () => {
  await served?.close();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});

const get = (tenant: string, path: string, accept = '*/*') =>
  served.app.inject({ url: `/${tenant}/dicomweb${path}`, headers: { authorization: 'Bearer own', accept } });

/** Returns how many instances a tenant gives in one way; 0 if the answer breaks off. */
async function given(tenant: string, way: (typeof WAYS)[number], uid: string): Promise<number> {
  const study = `/studies/${uid}`;
  if (way === 'metadata') return (await get(tenant, `${study}/metadata`)).json<unknown[]>().length;
  if (way === 'instance rows') return (await get(tenant, `${study}/instances`)).json<unknown[]>().length;
  if (way === 'one instance') {
    const one = await get(tenant, `${study}/series/${uid}.1/instances/${uid}.1.${ALL}/metadata`);
    return one.statusCode === 200 ? ALL : 0;
  }
  try {
    const answer = await get(
      tenant,
      study,
      way === 'zip' ? 'application/zip' : 'multipart/related; type="application/dicom"; transfer-syntax=*',
    );
    const found = await retrievedObjects(String(answer.headers['content-type']), answer.rawPayload);
    return new Set(found?.map(({ instance }) => instance)).size;
  } catch {
    return 0;
  }
}

/** Takes the last two instances out of the first archive, and waits until it says so. */
async function lose(kind: (typeof KINDS)[number], uid: string): Promise<void> {
  for (const number of [ALL - 1, ALL]) {
    if (kind === 'folder') await rm(join(directory, 'first', `${uid}.${number - 1}`));
    else await orthanc.remove('Instance', `${uid}.1.${number}`);
  }
  if (kind !== 'folder') return;
  const count = async () => (await get('alone', `/studies?StudyInstanceUID=${uid}`)).payload;
  await vi.waitFor(async () => expect(await count()).toContain('"Value":[4]'), {
    timeout: 20_000,
    interval: 100,
  });
}

describe.each(KINDS)('a study in %s and in a folder', (kind) => {
  test.each(WAYS)('has all instances by %s after the first has lost two', async (way) => {
    const [, , uid] = STUDIES.find(([one, other]) => one === kind && other === way)!;
    for (const one of WAYS) expect(await given(kind, one, uid)).toBe(ALL);
    await lose(kind, uid);
    // An archive may only be found out at its last object: then the answer breaks off, and the next one is whole.
    const isStream = kind !== 'folder' && (way === 'objects' || way === 'zip');
    const first = await given(kind, way, uid);
    expect(isStream ? [0, ALL] : [ALL]).toContain(first);
    for (const one of WAYS) expect(await given(kind, one, uid)).toBe(ALL);
  });
});
