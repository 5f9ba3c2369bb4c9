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

/** Bytes that are parsed at a time: enough that the way to another thread counts for little. */
const BATCH = 256 * 1024;

/**
 * Parses the answer of an archive, object by object, in threads.
 * @throws Fault `bad_gateway`; `too_large` for the metadata of a study or series that are more than any source gives
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
  // Of one instance nobody can ask for less.
  const tooMuch = target.instanceUid === undefined ? tooMuchMetadata : undefined;
  const room = { mostBytes: MAX_METADATA_BYTES, tooMuch };
  try {
    for await (const row of rowsOf(body, checkRow, room)) {
      // The chunk that it is part of does not go to the thread.
      rows.push(row.length === row.buffer.byteLength ? row : new Uint8Array(row));
      if ((size += row.length) <= BATCH) continue;
      parse();
      // An archive that is fast leaves no other time to other requests.
      await setImmediate();
    }
  } catch (error) {
    throw error instanceof DamagedFile ? damaged(error) : error;
  }
  if (rows.length > 0) parse();
  return (await Promise.all(batches)).flat();
}
