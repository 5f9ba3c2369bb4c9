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
import type { RenderedStudy } from '../fetched-frames.ts';
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
  const studyOf = (uid: string): RenderedStudy => ({
    uid,
    usedCopy: false,
    async instances(seriesUid) {
      const query = { level: 'instance', studyUid: uid, match: new Map(), includeField: [] } as const;
      return source.search({ ...query, ...(seriesUid !== undefined && { seriesUid }) });
    },
    metadata: async (one) => (await source.metadata({ studyUid: uid, ...one }))[0]!,
    frames: async (one, numbers) => ({
      ...(await source.frames({ studyUid: uid, ...one }, numbers)),
      version,
    }),
    bulkdata: (one, path) => source.bulkdata({ studyUid: uid, ...one }, path),
    version: async () => version,
  });
  return { read: ({ studyUid }, _part, work) => work(studyOf(studyUid)) };
}
