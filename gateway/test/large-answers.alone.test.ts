import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { smallObjects } from './setup/small-objects.ts';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

/** A study with more instances than the cost estimate assumes (FG-12). */
const STUDY = '1.2.3';
const INSTANCES = 1000;
const directory = mkdtempSync(join(tmpdir(), 'large-answers-'));
let gateway: WatchedGateway;

beforeAll(async () => {
  const folder = join(directory, 'images');
  mkdirSync(folder);
  const files = smallObjects({ studyUid: STUDY, patientId: 'P', instances: INSTANCES });
  for (const [i, file] of files.entries()) writeFileSync(join(folder, `${i}.dcm`), file);
  const images = { type: 'folder', lookup: 'all-studies-on-server', path: folder };
  const authorization = { type: 'mock', disableAuthzChecks: true };
  gateway = await startWatchedGateway({ tenants: { large: { authorization, images } } });
  const isIndexed = async () =>
    expect((await instances('uid')).data?.ImagingStudy.series[0]?.instance).toHaveLength(INSTANCES);
  await vi.waitFor(isIndexed, { timeout: 60_000, interval: 200 });
});
afterAll(async () => {
  await gateway?.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Answer {
  data: { ImagingStudy: { series: { instance: Record<string, unknown>[] }[] } } | null;
  errors?: { message: string; extensions: Record<string, unknown> }[];
}

/** Requests fields of all instances of the study. */
const instances = (fields: string): Promise<Answer> => series(`instance { ${fields} }`);

async function series(fields: string): Promise<Answer> {
  const query = `{ ImagingStudy(id: "${STUDY}") { id series { uid ${fields} } } }`;
  const { body } = await request(`${gateway.url}/large/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  return (await body.json()) as Answer;
}
const aliases = (count: number, field: string, name = 'a') =>
  Array.from({ length: count }, (_, i) => `${name}${i}: ${field}`).join(' ');

test('FG-12 90 fields of 1,000 instances are too large for one answer, and refused without harm to others', async () => {
  // An answer, and an error, which takes Apollo's executor: code that is loaded once is no harm of the attack.
  for (const count of [20, 90]) await instances(aliases(count, 'uid', 'b'));
  const answers: Answer[] = [];
  const harm = await harmOf(gateway, async () => {
    for (const field of ['uid', 'wadoUrl', 'sopClass { code }'])
      answers.push(await instances(aliases(90, field)));
  });
  for (const { data, errors } of answers) {
    expect(data).toEqual({ ImagingStudy: null });
    expect(errors).toEqual([
      {
        path: ['ImagingStudy'],
        message: expect.stringMatching(/more than 50000 fields.*_count/),
        extensions: expect.objectContaining({ code: 'too_large', status: 413 }),
      },
    ]);
  }
  expectUnharmed(harm);
});

test('FG-12 the usual fields of 1,000 instances are answered without harm to others', async () => {
  const send = async (alias: string) => {
    const fields = `${alias}: uid number sopClass { code } rows columns numberOfFrames wadoUrl thumbnailUrl`;
    const { data, errors } = await instances(fields);
    expect(errors).toBeUndefined();
    expect(data?.ImagingStudy.series[0]?.instance).toHaveLength(INSTANCES);
  };
  await send('a');
  expectUnharmed(await harmOf(gateway, () => send('b')));
});

test('FG-12 fields of a series that read all its instances do no harm to others', async () => {
  await series(aliases(16, 'instance { uid }', 'b'));
  const attack = async () => {
    await series(`${aliases(45, 'rows')} ${aliases(45, 'numberOfFrames', 'b')}`);
    await series(aliases(16, 'instance { uid }'));
  };
  expectUnharmed(await harmOf(gateway, attack));
});
