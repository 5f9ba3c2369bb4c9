import { setImmediate } from 'node:timers/promises';
import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Budget } from '../../dicom/part10/budget.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import { PALETTES } from '../../dicom/part10/json.ts';
import { encodeMetadata, type ObjectMetadata } from '../../parsing/object-metadata.ts';
import type { ParsingThreads } from '../../parsing/threads.ts';
import { damaged } from '../damaged.ts';
import { MAX_METADATA_BYTES, tooMuchMetadata } from '../metadata-bytes.ts';
import type { InstanceTarget, Target } from '../source.ts';
import { isOf, ownMetadata } from './metadata.ts';
import { nonsense } from './nonsense.ts';
import type { RowSize } from './row-splitter.ts';
import { datasetOf, NODES_PER_ELEMENT, rowsOf } from './rows.ts';

/** Bytes that are parsed at a time: enough that the way to another thread counts for little. */
const BATCH = 256 * 1024;

export interface ArchiveMetadataTask {
  /** Data sets as the archive sent them. */
  rows: Uint8Array[];
  target: Target;
  /** Elements and values that an object may have. */
  objectElements: number;
}

/** Metadata of one object; or its data set, where palettes in it are still bulk data. */
export type ArchiveMetadata = { metadata: ObjectMetadata } | { row: Uint8Array; palettes: PaletteAddress[] };

export interface PaletteAddress {
  tag: string;
  /** Relative to `target`. */
  uri: string;
  target: InstanceTarget;
}

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

/**
 * An archive's metadata as a source gives them (DW-6).
 * @throws Fault `bad_gateway` for data sets that are none, or are not of the target; OverBudget
 */
export function archiveMetadata({ rows, target, objectElements }: ArchiveMetadataTask): ArchiveMetadata[] {
  return rows.map((json) => {
    const budget = new Budget(objectElements);
    const row = datasetOf(json, budget);
    if (!isOf(row, target)) throw nonsense();
    const own = ownMetadata(row, target);
    const palettes = palettesOf(own, target);
    if (palettes.length === 0) return { metadata: encodeMetadata(own, target, budget) };
    return { row: new TextEncoder().encode(JSON.stringify(own)), palettes };
  });
}

function palettesOf(row: DicomJson, { studyUid, seriesUid, instanceUid }: Target): PaletteAddress[] {
  const target = {
    studyUid,
    seriesUid: text(row, Tag.SeriesInstanceUID) ?? seriesUid ?? '',
    instanceUid: text(row, Tag.SOPInstanceUID) ?? instanceUid ?? '',
  };
  return PALETTES.flatMap((tag) => {
    const uri = row[tag]?.BulkDataURI;
    return uri === undefined ? [] : [{ tag, uri, target }];
  });
}

export interface PalettesTask {
  row: Uint8Array;
  palettes: readonly { tag: string; bytes: Uint8Array }[];
  target: Target;
  objectElements: number;
}

/** Metadata of one object, with these palettes in place of their addresses. @throws OverBudget */
export function withPalettes({ row, palettes, target, objectElements }: PalettesTask): ObjectMetadata {
  const budget = new Budget(objectElements);
  const dataset = datasetOf(row, budget);
  for (const { tag, bytes } of palettes) {
    const InlineBinary = Buffer.from(bytes).toString('base64');
    dataset[tag] = { vr: dataset[tag]?.vr ?? 'OW', InlineBinary };
  }
  return encodeMetadata(dataset, target, budget);
}
