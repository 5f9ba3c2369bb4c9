import { createHash } from 'node:crypto';
import { number, Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { absoluteBulkData } from '../dicom/dicomweb-urls.ts';
import type { Budget } from '../dicom/part10/budget.ts';
import { dicomJson } from '../dicom/part10/json.ts';
import type { InstanceTarget, Target } from '../facts/target.ts';
import { withParsed, type ParsedFile } from './open-file.ts';

/** Metadata of one instance, PS3.18 §10.4.1.1.2, as they pass between threads. */
export interface ObjectMetadata {
  /** A data set of the DICOM JSON model in UTF-8. Every BulkDataURI is a path: `/studies/…/instances/…/bulkdata/…`. */
  json: Uint8Array;
  /** A digest of `json`. */
  tag: string;
  seriesUid: string | undefined;
  sopInstanceUid: string | undefined;
  seriesNumber: number | undefined;
  instanceNumber: number | undefined;
}

/** What else a task is told of a file. */
export interface MetadataTask extends ParsedFile {
  transferSyntax: string;
}

/**
 * Metadata of a file: all attributes, with the transfer syntax at hand (0008,3002).
 * @throws DamagedFile
 */
export function readMetadata({ transferSyntax, ...file }: MetadataTask): Promise<ObjectMetadata> {
  return withParsed(file, ({ bytes, elements, encoding }, budget) => {
    const json = dicomJson(bytes, elements, encoding, budget);
    json[Tag.AvailableTransferSyntaxUID] = { vr: 'UI', Value: [transferSyntax] };
    const sorted = Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1));
    const studyUid = text(json, Tag.StudyInstanceUID) ?? '';
    return encodeMetadata(Object.fromEntries(sorted), { studyUid }, budget);
  });
}

/**
 * A data set as JSON, its BulkDataURIs made paths from the base of the service (DW-4).
 * @param row BulkDataURI relative to the instance
 * @param target names what the row does not
 * @throws OverBudget for JSON that is too long
 */
export function encodeMetadata(
  row: DicomJson,
  target: Target | InstanceTarget,
  budget: Budget,
): ObjectMetadata {
  const json = new TextEncoder().encode(JSON.stringify(absoluteBulkData(row, target, '')));
  budget.checkJson(json.length);
  return {
    json,
    tag: createHash('sha256').update(json).digest('base64url').slice(0, 22),
    seriesUid: text(row, Tag.SeriesInstanceUID) ?? target.seriesUid,
    sopInstanceUid: text(row, Tag.SOPInstanceUID) ?? target.instanceUid,
    seriesNumber: number(row, Tag.SeriesNumber),
    instanceNumber: number(row, Tag.InstanceNumber),
  };
}
