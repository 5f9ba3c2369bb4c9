import { brotliDecompressSync } from 'node:zlib';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { keywordOf } from '../../../schema/dicom/dictionary.ts';
import { ROOTED } from '../dicom/bulk-data-base.ts';
import { RowSplitter } from './archive/row-splitter.ts';

/** Bytes of one selection of one object, which GraphQL parses into memory. */
const MAX_BYTES = 1024 * 1024;

/** Tags of attributes; undefined for all. */
export type Selection = readonly string[] | undefined;

export interface SelectTask {
  /** Metadata of objects as JSON without brackets around them. */
  rows: Uint8Array;
  /** True if they are compressed as `br`. */
  isPacked: boolean;
  /** Base of every BulkDataURI. */
  base: string;
  /** By SOP Instance UID. */
  selections: ReadonlyMap<string, readonly Selection[]>;
  /** Most bytes of all selections together. */
  maxBytes: number;
}

/** Attributes of one instance. */
export interface SelectedAttributes {
  sopInstanceUid: string;
  /**
   * A JSON list in UTF-8. Each selection has its attributes by keyword, private ones by tag, or is null if it is too
   * large. Undefined for instances after `maxBytes`.
   */
  json: Uint8Array | undefined;
}

/** Selects attributes of the objects of a series, all selections in one pass. */
export function selectAttributes(task: SelectTask): SelectedAttributes[] {
  const { rows, isPacked, base, selections, maxBytes } = task;
  const splitter = new RowSplitter(() => undefined);
  splitter.push(Buffer.from('['));
  let left = maxBytes;
  return splitter.push(isPacked ? brotliDecompressSync(rows) : Buffer.from(rows)).flatMap((row) => {
    const based = Buffer.from(row)
      .toString('utf8')
      .replaceAll(ROOTED, () => `"BulkDataURI":"${base}/studies/`);
    const dataset = JSON.parse(based) as DicomJson;
    const sopInstanceUid = text(dataset, Tag.SOPInstanceUID) ?? '';
    const asked = selections.get(sopInstanceUid);
    if (!asked) return [];
    if (left < 0) return [{ sopInstanceUid, json: undefined }];
    const json = new TextEncoder().encode(`[${asked.map((tags) => selected(dataset, tags)).join()}]`);
    left -= json.length;
    return [{ sopInstanceUid, json: left < 0 ? undefined : json }];
  });
}

function selected(dataset: DicomJson, tags: Selection): string {
  const wanted = tags ?? Object.keys(dataset).filter((tag) => tag !== Tag.RetrieveURL);
  const entries = wanted
    .filter((tag) => dataset[tag])
    .map((tag) => [keywordOf(tag) ?? tag, dataset[tag]] as const);
  const json = JSON.stringify(Object.fromEntries(entries));
  return Buffer.byteLength(json) > MAX_BYTES ? 'null' : json;
}
