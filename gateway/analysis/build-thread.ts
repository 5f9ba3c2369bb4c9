/** Runs in the thread of `AnalysisThreads` that builds datasets: it connects the tables of analysts with the record and the images. */
import { openRecordFeed } from '../../subgraphs/clinical/export/record-feed.ts';
import { LINKED_TYPES, RecordLinks } from '../../subgraphs/clinical/joins/record-links.ts';
import { instancesIn } from '../../subgraphs/imaging/sources/folder/instances.ts';
import { runBuild } from '../../subgraphs/analysis/thread-build.ts';
import type { ThreadBuild } from '../../subgraphs/analysis/threads.ts';

/** Builds a dataset. */
export const build = (task: ThreadBuild): ReturnType<typeof runBuild> =>
  runBuild(task, {
    openRecord: openRecordFeed,
    instancesIn,
    linkedTypes: LINKED_TYPES,
    links: (joins) => new RecordLinks(joins),
  });
