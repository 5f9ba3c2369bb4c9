/** Images by their names, with their metadata: of series that are open, or of the archive. */
import { stacksOf, type Stack } from '../../domain/series/stacks.ts';
import { frameId, type FrameId, type FrameName } from '../../domain/study.ts';
import type { Page } from '../../ui/context.ts';

export interface FoundImage {
  stack: Stack;
  /** In the stack, from 0. */
  index: number;
}

/** Returns the images that are there. @throws Trouble */
export async function imagesNamed(
  page: Page,
  names: readonly FrameName[],
): Promise<Map<FrameId, FoundImage>> {
  const wanted = new Set(names.map(frameId));
  const series = new Map(names.map((name) => [`${name.study}/${name.series}`, name]));
  const found = new Map<FrameId, FoundImage>();
  for (const name of series.values())
    for (const stack of await stacksIn(page, name))
      for (const [index, { id }] of stack.frames.entries())
        if (wanted.has(id)) found.set(id, { stack, index });
  return found;
}

/** Returns the stacks of a series; none of one that the record does not have. @throws Trouble */
export async function stacksIn(
  { workspace, record }: Page,
  { study: uid, series: seriesUid }: { study: string; series: string },
): Promise<readonly Stack[]> {
  const open = workspace.cells.find(
    ({ study, series, stacks }) =>
      study?.uid === uid && series?.uid === seriesUid && stacks.some((stack) => !stack.reformatted),
  );
  if (open) return open.stacks;
  const study = record.record?.studies.find((one) => one.uid === uid);
  const series = study?.series.find((one) => one.uid === seriesUid);
  const at = series && (series.location ?? study?.location);
  if (!at) return [];
  const name = { study: uid, series: seriesUid };
  return stacksOf(name, await workspace.imaging.metadataOf(at, name, new AbortController().signal));
}
