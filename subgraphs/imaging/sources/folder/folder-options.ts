import type { Parsing } from '../../threads/parsing-threads.ts';
import type { PixelPool } from '../../threads/pool.ts';
import type { FolderLog } from './folder-log.ts';
import type { Progress } from './scanner.ts';

export interface FolderOptions {
  /** The directory tree; links in it that lead outside are refused. */
  path: string;
  /** Where the index is kept, below DATA_DIR; one file for each folder. */
  indexFile: string;
  log: FolderLog;
  /** Decodes and compresses; stays open when the folder closes (default: one of its own). */
  pixels?: PixelPool;
  /** Parses; stays open when the folder closes (default: threads of its own). */
  parsing?: Parsing;
  onProgress?: (progress: Progress) => void;
  /** Told of each object that is refused because another was indexed (DW-26). */
  onOtherObject?: () => void;
  /** Follow changes while running (default: yes). */
  watch?: boolean;
  /** Milliseconds that a request waits for the first index before it is told to come again (default: 3000). */
  patience?: number;
  /** Seconds for which a folder that suddenly has nothing counts as away (default: EMPTY_IS_AWAY). */
  emptyIsAway?: number;
  /** Milliseconds between walks, and between the two looks that a file has to be missing at. */
  walkEvery?: number;
  confirmAfter?: number;
}
