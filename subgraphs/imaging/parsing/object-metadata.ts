import { createHash } from 'node:crypto';
import { number, Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { absoluteBulkData } from '../dicom/dicomweb-urls.ts';
import { withNumericValues } from '../dicom/numeric-value.ts';
import type { Budget } from '../dicom/part10/budget.ts';
import { dicomJson } from '../dicom/part10/json.ts';
import type { InstanceTarget, Target } from '../facts/target.ts';
import { withParsed, type ParsedFile } from './open-file.ts';

/** Metadata of one instance, PS3.18 §10.4.1.1.2, in the form that passes between threads. */
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

/** A file whose metadata are read. */
export interface MetadataTask extends ParsedFile {
  transferSyntax: string;
}

/**
 * Reads metadata of a file: all attributes, and the transfer syntax of the file (0008,3002).
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
 * Encodes a data set as JSON, with BulkDataURIs as paths from the base of the service (DW-4).
 * @param row with BulkDataURIs relative to the instance
 * @param target gives UIDs that the row does not have
 * @throws OverBudget for JSON that is too long
 */
export function encodeMetadata(
  row: DicomJson,
  target: Target | InstanceTarget,
  budget: Budget,
): ObjectMetadata {
  const json = new TextEncoder().encode(withNumericValues(JSON.stringify(absoluteBulkData(row, target, ''))));
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
