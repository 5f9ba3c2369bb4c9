import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { patient, testAccess, testSubgraph, testTenant } from '../test/subgraph.ts';

/** Answers that nobody reads must leave nothing open. */
describeWithSharedData('DW-10, DW-15 a body that is not read', () => {
  const film = sharedDicomFiles().find(({ file, frames }) => file.startsWith('us-cine/') && frames > 2)!;
  let folder: string;
  let url: string;
  let served: Awaited<ReturnType<typeof testSubgraph>>;
  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'unread-')));
    copyFileSync(sharedDataPath('dicom', film.file), join(folder, 'film.dcm'));
    const images = { type: 'folder', path: folder, lookup: 'all-studies-on-server' };
    served = await testSubgraph([testTenant(images)], { own: testAccess([patient('own', 'MRN')]) });
    url = await served.app.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(async () => {
    await served?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const study = `/studies/${film?.studyUid}`;
  const instance = `${study}/series/${film?.seriesUid}/instances/${film?.sopInstanceUid}`;
  const retrievals = [
    ['one object', instance, 'application/dicom; transfer-syntax=*'],
    ['multipart', study, 'multipart/related; type="application/dicom"; transfer-syntax=*'],
    ['zip', study, 'application/zip; transfer-syntax=*'],
    ['a frame', `${instance}/frames/1`, 'multipart/related; type="*/*"; transfer-syntax=*'],
    ['frames', `${instance}/frames/1,2`, 'multipart/related; type="*/*"; transfer-syntax=*'],
    ['bulk data', `${instance}/bulkdata/7FE00010`, '*/*'],
  ] as const;
  const ask = (path: string, accept: string, more: { method?: 'GET' | 'HEAD'; signal?: AbortSignal } = {}) =>
    request(`${url}/test/dicomweb${path}`, { headers: { authorization: 'Bearer own', accept }, ...more });
  const open = () =>
    readdirSync('/proc/self/fd').filter((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(`${folder}/film`);
      } catch {
        return false;
      }
    }).length;
  const nothingIsOpen = () => vi.waitFor(() => expect(open()).toBe(0), { timeout: 10_000 });

  it('an open file is counted', async () => {
    await nothingIsOpen();
    const descriptor = openSync(join(folder, 'film.dcm'), 'r');
    expect(open()).toBe(1);
    closeSync(descriptor);
    expect(open()).toBe(0);
  });

  it.each(retrievals)('HEAD of %s leaves no file open', async (_, path, accept) => {
    for (let i = 0; i < 5; i++) {
      const answer = await ask(path, accept, { method: 'HEAD' });
      expect(answer.statusCode).toBe(200);
      await answer.body.dump();
    }
    await nothingIsOpen();
  });

  it.each(retrievals)('a client that leaves early leaves no file of %s open', async (_, path, accept) => {
    for (let milliseconds = 0; milliseconds < 8; milliseconds += 0.5) {
      const gone = new AbortController();
      const answer = ask(path, accept, { signal: gone.signal }).then(({ body }) => body.dump());
      await delay(milliseconds);
      gone.abort();
      await answer.catch(() => undefined);
    }
    await nothingIsOpen();
  });
});
