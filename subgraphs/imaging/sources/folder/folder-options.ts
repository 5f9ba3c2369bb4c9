import type { Parsing } from '../../threads/parsing-threads.ts';
import type { PixelPool } from '../../threads/pool.ts';
import type { FolderLog } from './folder-log.ts';
import type { Progress } from './scanner.ts';

export interface FolderOptions {
  /** Path of the directory tree. Links to places outside are refused. */
  path: string;
  /** Path of the index below DATA_DIR, one file for each folder. */
  indexFile: string;
  /** Tags of attributes that the index has besides its own, for the tables of analysts. An index has them for always. */
  more?: readonly string[] | undefined;
  log: FolderLog;
  /** Decodes and compresses. Stays open when the folder closes (default: a new pool). */
  pixels?: PixelPool;
  /** Parses. Stays open when the folder closes (default: new threads). */
  parsing?: Parsing;
  onProgress?: (progress: Progress) => void;
  /** Called for each object that is refused because another was indexed (DW-26). */
  onOtherObject?: () => void;
  /** Follow changes while running (default: true). */
  watch?: boolean;
  /** Milliseconds that a request waits for the first index before it is answered with 503 (default: 3000). */
  patience?: number;
  /** Seconds for which a suddenly empty folder counts as away (default: EMPTY_IS_AWAY). */
  emptyIsAway?: number;
  /** Milliseconds between walks. */
  walkEvery?: number;
  /** Milliseconds between the two checks that must both find a file missing. */
  confirmAfter?: number;
}
