import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { NUMERIC_VALUE, textWithZeros } from '../../dicom/numeric-value.ts';
import { isOfPatient, statedPatient } from '../../facts/stated-patient.ts';
import type { Target } from '../../facts/target.ts';
import { relativeBulkData } from './bulk-data-uri.ts';

/** Tells whether a row belongs to the target. A server that ignores part of the path may answer with another study. */
export function isOf(row: DicomJson, { studyUid, seriesUid, instanceUid, patient }: Target): boolean {
  if (patient && row[Tag.PatientID] && !isOfPatient(statedPatient(row), patient)) return false;
  return (
    [
      [Tag.StudyInstanceUID, studyUid],
      [Tag.SeriesInstanceUID, seriesUid],
      [Tag.SOPInstanceUID, instanceUid],
    ] as const
  ).every(([tag, asked]) => asked === undefined || (text(row, tag) ?? asked) === asked);
}

/**
 * Converts a server's metadata of one instance to those of a source: every BulkDataURI is relative to the instance's
 * URL, those of other places are dropped, and DS and IS are numbers (DW-6), Numeric Value with its zeros. Changes the row.
 */
export function ownMetadata(row: DicomJson, target: Target): DicomJson {
  const instance = [
    ['studies', text(row, Tag.StudyInstanceUID) ?? target.studyUid],
    ['series', text(row, Tag.SeriesInstanceUID) ?? target.seriesUid],
    ['instances', text(row, Tag.SOPInstanceUID) ?? target.instanceUid],
  ];
  const path = `/${instance.map((pair) => pair.join('/')).join('/')}/`;
  const visit = (dataset: DicomJson): void => {
    for (const [tag, element] of Object.entries(dataset)) {
      if (element.BulkDataURI !== undefined) {
        const relative = relativeBulkData(element.BulkDataURI, path);
        if (relative === undefined) delete element.BulkDataURI;
        else element.BulkDataURI = relative;
      }
      if (element.vr === 'SQ') for (const item of element.Value ?? []) visit((item ?? {}) as DicomJson);
      else if (element.Value && (element.vr === 'DS' || element.vr === 'IS'))
        element.Value = element.Value.map(tag === NUMERIC_VALUE ? asNumericValue : asNumber);
    }
  };
  visit(row);
  return row;
}

/**
 * Converts decimal and integer strings. Orthanc gives them as text, which PS3.18 §F.2.3 allows but few clients expect.
 */
function asNumber(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.trim() === '') return null;
  return Number.isFinite(Number(value)) ? Number(value) : value;
}

function asNumericValue(value: unknown): unknown {
  return (typeof value === 'string' ? textWithZeros(value) : undefined) ?? asNumber(value);
}
