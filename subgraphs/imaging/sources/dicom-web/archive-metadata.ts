import { setImmediate } from 'node:timers/promises';
import { Budget } from '../../dicom/part10/budget.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { ArchiveMetadata, ArchiveMetadataTask } from '../../parsing/archive/archive-metadata.ts';
import { NODES_PER_ELEMENT } from '../../parsing/archive/dataset.ts';
import type { ParsingThreads } from '../../threads/parsing-threads.ts';
import { damaged } from '../damaged.ts';
import { MAX_METADATA_BYTES, tooMuchMetadata } from '../metadata-bytes.ts';
import type { RowSize } from '../../parsing/archive/row-splitter.ts';
import { rowsOf } from './rows.ts';

/** Bytes parsed at a time, so that the transfer to another thread costs little. */
const BATCH = 256 * 1024;

/**
 * Parses the answer of an archive object by object, in other threads.
 * @throws Fault `bad_gateway`; `too_large` for metadata of a study or series above the limit of every source
 */
export async function readArchiveMetadata(
  body: AsyncIterable<Uint8Array>,
  { target, objectElements }: Omit<ArchiveMetadataTask, 'rows'>,
  threads: ParsingThreads,
): Promise<ArchiveMetadata[]> {
  const batches: Promise<ArchiveMetadata[]>[] = [];
  let rows: Uint8Array[] = [];
  let size = 0;
  const parse = (): void => {
    const batch = threads.run('archiveMetadata', { rows, target, objectElements });
    batch.catch(() => undefined);
    batches.push(batch);
    [rows, size] = [[], 0];
  };
  const checkRow = ({ bytes, nodes }: RowSize): void => {
    const budget = new Budget(objectElements);
    budget.checkJson(bytes);
    budget.count(Math.floor(nodes / NODES_PER_ELEMENT));
  };
  // A client cannot ask for less than one instance.
  const tooMuch = target.instanceUid === undefined ? tooMuchMetadata : undefined;
  const room = { mostBytes: MAX_METADATA_BYTES, tooMuch };
  try {
    for await (const row of rowsOf(body, checkRow, room)) {
      // A copy, so that the whole chunk is not transferred to the thread.
      rows.push(row.length === row.buffer.byteLength ? row : new Uint8Array(row));
      if ((size += row.length) <= BATCH) continue;
      parse();
      // Lets other requests continue, also when the archive is fast.
      await setImmediate();
    }
  } catch (error) {
    throw error instanceof DamagedFile ? damaged(error) : error;
  }
  if (rows.length > 0) parse();
  return (await Promise.all(batches)).flat();
}
