import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Budget } from '../../dicom/part10/budget.ts';
import { PALETTES } from '../../dicom/part10/json.ts';
import type { InstanceTarget, Target } from '../../facts/target.ts';
import { encodeMetadata, type ObjectMetadata } from '../object-metadata.ts';
import { datasetOf } from './dataset.ts';
import { isOf, ownMetadata } from './metadata.ts';
import { invalidAnswer } from './archive-faults.ts';

export interface ArchiveMetadataTask {
  /** Data sets as the archive sent them. */
  rows: Uint8Array[];
  target: Target;
  /** Elements and values that an object may have. */
  objectElements: number;
}

/** Metadata of one object, or its data set if palettes in it are still bulk data. */
export type ArchiveMetadata = { metadata: ObjectMetadata } | { row: Uint8Array; palettes: PaletteAddress[] };

export interface PaletteAddress {
  tag: string;
  /** Relative to `target`. */
  uri: string;
  target: InstanceTarget;
}

/**
 * Converts an archive's metadata to those of a source (DW-6).
 * @throws Fault `bad_gateway` for invalid data sets, or those of another object than the target; OverBudget
 */
export function archiveMetadata({ rows, target, objectElements }: ArchiveMetadataTask): ArchiveMetadata[] {
  return rows.map((json) => {
    const budget = new Budget(objectElements);
    const row = datasetOf(json, budget);
    if (!isOf(row, target)) throw invalidAnswer();
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

/** Returns metadata of one object with palettes in place of their addresses. @throws OverBudget */
export function withPalettes({ row, palettes, target, objectElements }: PalettesTask): ObjectMetadata {
  const budget = new Budget(objectElements);
  const dataset = datasetOf(row, budget);
  for (const { tag, bytes } of palettes) {
    const InlineBinary = Buffer.from(bytes).toString('base64');
    dataset[tag] = { vr: dataset[tag]?.vr ?? 'OW', InlineBinary };
  }
  return encodeMetadata(dataset, target, budget);
}
