import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import type { FolderIndex } from './folder-index.ts';
import { FolderPresence } from './presence.ts';
import { identify } from './root.ts';

const scratch = mkdtempSync(join(tmpdir(), 'presence-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const AWAY = 0.6;
const nothing = (): void => undefined;

/** Makes a folder with one indexed file. */
function indexed(name: string) {
  const path = join(scratch, name);
  const file = join(path, '1.dcm');
  mkdirSync(path);
  writeFileSync(file, 'image');
  const { size, mtimeMs, ctimeMs } = statSync(file);
  const sample = () => [{ path: '1.dcm', size, mtime: mtimeMs, ctime: ctimeMs }];
  const index = {
    root: identify(path),
    hasInstances: () => true,
    sample,
    sampleOfRest: sample,
    setRoot: nothing,
  };
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const presence = new FolderPresence({
    path,
    index: index as unknown as FolderIndex,
    emptyIsAway: AWAY,
    log,
    onAway: nothing,
    onBack: nothing,
  });
  return { path, file, presence };
}

test('DW-23 a folder that came back counts as away for the full time when it is empty again', async () => {
  const { file, presence } = indexed('emptied');
  rmSync(file);
  expect(await presence.believesGone()).toBe(false);
  await sleep(AWAY * 500);
  writeFileSync(file, 'image');
  await presence.recheck();
  expect(presence.isThere).toBe(true);
  await sleep(AWAY * 700);
  rmSync(file);
  expect(await presence.believesGone()).toBe(false);
  expect(presence.isThere).toBe(false);
});

test('DW-23 a folder that came back counts as away for the full time when it is replaced again', async () => {
  const { path, presence } = indexed('replaced');
  const replace = async (): Promise<void> => {
    renameSync(path, `${path}-away`);
    mkdirSync(path);
    writeFileSync(join(path, 'another'), '');
    await presence.recheck();
  };
  await replace();
  await sleep(AWAY * 500);
  rmSync(path, { recursive: true });
  renameSync(`${path}-away`, path);
  expect(presence.isThere).toBe(true);
  await sleep(AWAY * 700);
  await replace();
  expect(presence.isThere).toBe(false);
});
