/** The shared files as the core gives them to rendering, for tests of pictures without callers. */
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  sharedDataPath,
  sharedDicomFiles,
  type SharedDicomFile,
} from '../../../../gateway/test/setup/shared-data.ts';
import { openFolder, type FolderSource } from '../../sources/folder.ts';
import type { InstanceTarget } from '../../sources/source.ts';
import type { Reading } from '../../study/study-reader.ts';
import type { ReadableImages } from '../pictures.ts';

export interface SharedImage extends SharedDicomFile {
  path: string;
  target: InstanceTarget;
  images: ReadableImages;
}

/** Opens the shared files. Files with the same SOP Instance UID come from separate folders. */
export async function openSharedImages(): Promise<{ images: SharedImage[]; close(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'rendered-'));
  const folders: FolderSource[] = [];
  const seen = new Map<string, number>();
  const placed = [];
  for (const [i, file] of sharedDicomFiles().entries()) {
    const folder = seen.get(file.sopInstanceUid) ?? 0;
    seen.set(file.sopInstanceUid, folder + 1);
    const path = sharedDataPath('dicom', file.file);
    await mkdir(join(directory, String(folder)), { recursive: true });
    await copyFile(path, join(directory, String(folder), `${i}-${basename(file.file)}`));
    placed.push({ file, path, folder });
  }
  for (let i = 0; i < Math.max(...seen.values()); i++) {
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const path = join(directory, String(i));
    folders.push(
      await openFolder({
        path,
        indexFile: `${path}.sqlite`,
        log: log as never,
        watch: false,
        pixels: undefined as never,
      }),
    );
  }
  await Promise.all(folders.map((folder) => folder.indexed));
  const images = placed.map(({ file, path, folder }): SharedImage => {
    const { studyUid, seriesUid, sopInstanceUid } = file;
    const target = { studyUid: studyUid ?? '', seriesUid: seriesUid ?? '', instanceUid: sopInstanceUid };
    return { ...file, path, target, images: readable(folders[folder]!) };
  });
  return {
    images,
    async close() {
      await Promise.all(folders.map((folder) => folder.close()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function readable(source: FolderSource): ReadableImages {
  const version = { source: 'shared', patient: '', stamp: '' };
  const core: Reading = {
    usedCopy: false,
    async study(studyUid) {
      const match = new Map<string, string[]>();
      return { instances: await source.search({ level: 'instance', studyUid, match, includeField: [] }) };
    },
    metadata: async (target) => (await source.metadata(target))[0]!,
    encodedMetadata: () => Promise.reject(new Error('A picture is made from single instances.')),
    frames: async (target, numbers) => ({ ...(await source.frames(target, numbers)), version }),
    bulkdata: (target, path) => source.bulkdata(target, path),
    version: async () => version,
  };
  return { reading: (_target, _part, work) => work(core) };
}
