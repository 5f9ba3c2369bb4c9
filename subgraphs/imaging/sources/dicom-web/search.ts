import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { distinctRows } from '../distinct-rows.ts';
import { isOfPatients } from '../../facts/stated-patient.ts';
import type { Level, SourceQuery } from '../source.ts';
import { pathOf } from './client.ts';
import { askedKeys, askedText, type AskedKeys } from './keys.ts';
import type { PatientLists } from './patient-lists.ts';

/**
 * Attributes to request besides the defaults of a server (PS3.18 §10.6.3.3): those that decide the owner of a row, and
 * those of the FHIR resource. All are named, because Orthanc does not expand `includefield=all`.
 */
const WANTED: Record<Level, readonly string[]> = {
  study: [
    Tag.PatientID,
    Tag.IssuerOfPatientID,
    Tag.PatientBirthDate,
    Tag.StudyDescription,
    Tag.ModalitiesInStudy,
    Tag.NumberOfStudyRelatedSeries,
    Tag.NumberOfStudyRelatedInstances,
    Tag.TimezoneOffsetFromUTC,
    // Issuer of Accession Number Sequence: numbers of two issuers are not one.
    '00080051',
    // Procedure Code Sequence
    '00081032',
  ],
  series: [
    Tag.PatientID,
    Tag.IssuerOfPatientID,
    Tag.PatientBirthDate,
    Tag.SeriesDate,
    Tag.SeriesTime,
    Tag.SeriesDescription,
    Tag.BodyPartExamined,
    Tag.Laterality,
    Tag.PerformingPhysicianName,
    Tag.NumberOfSeriesRelatedInstances,
    Tag.TimezoneOffsetFromUTC,
    Tag.PerformedProcedureStepStartDate,
    Tag.PerformedProcedureStepStartTime,
    Tag.RequestAttributesSequence,
    '00082218',
  ],
  instance: [
    Tag.PatientID,
    Tag.IssuerOfPatientID,
    Tag.PatientBirthDate,
    Tag.NumberOfFrames,
    Tag.Rows,
    Tag.Columns,
    Tag.AvailableTransferSyntaxUID,
  ],
};

/** Rows of one answer, and whether the server says that it has more (PS3.18 §8.3.4.4). */
export interface AnsweredRows {
  rows: DicomJson[];
  cut: boolean;
}

/**
 * Searches a server by QIDO-RS (PS3.18 §10.6). Every row is checked again, because servers may match more than
 * requested.
 * @param json reads the rows of the server at a path
 * @param lists whether the server takes lists of PatientIDs
 */
export async function searchServer(
  query: SourceQuery,
  json: (path: string) => Promise<AnsweredRows>,
  lists: PatientLists,
): Promise<DicomJson[]> {
  const { level, patientIds, studyUid, limit, offset = 0 } = query;
  if (patientIds?.length === 0) return [];
  const keys = askedKeys(query);
  const page = async (patients: readonly string[] | undefined, paged: boolean) => {
    const { rows, cut } = await json(searchPath(query, keys, patients, paged));
    const ours = rows
      .filter((row) => isWithin(row, query) && isOfPatients(row, patientIds) && keys.meets(row))
      .filter(distinctRows(level));
    return { ours, complete: ours.length === rows.length, cut };
  };
  // The owner of a study is known before a search within it, where a server need not match PatientID.
  const asked = studyUid ? undefined : patientIds && [...new Set(patientIds.map(({ value }) => value))];
  if (!asked || asked.length === 1) {
    const { ours, complete } = await page(asked, true);
    if (complete || (limit === undefined && offset === 0)) return ours;
  }
  const answers = asked
    ? await lists.find(asked, (patients) => page(patients, false))
    : [(await page(undefined, false)).ours];
  const ours = answers.flat().filter(distinctRows(level));
  return ours.slice(offset, limit === undefined ? undefined : offset + limit);
}

/** Tells whether a row belongs to the requested study and series. Adds their UIDs if the row does not repeat them. */
function isWithin(row: DicomJson, { studyUid, seriesUid }: SourceQuery): boolean {
  const asked = [
    [Tag.StudyInstanceUID, studyUid],
    [Tag.SeriesInstanceUID, seriesUid],
  ] as const;
  return asked.every(([tag, uid]) => {
    if (uid === undefined) return true;
    row[tag] ??= { vr: 'UI', Value: [uid] };
    return text(row, tag) === uid;
  });
}

/**
 * Returns the path with checked keys (DW-3), each once: Orthanc ignores unknown keys and uses the last of equal ones.
 */
function searchPath(
  query: SourceQuery,
  { asked, needed }: AskedKeys,
  patients: readonly string[] | undefined,
  paged: boolean,
): string {
  const { level, studyUid, seriesUid, includeField, limit, offset } = query;
  const scope = studyUid === undefined ? '' : pathOf({ studyUid, ...(seriesUid && { seriesUid }) });
  const resource = { study: '/studies', series: `${scope}/series`, instance: `${scope}/instances` }[level];
  const fields = new Set([...WANTED[level], ...needed, ...(includeField === 'all' ? ['all'] : includeField)]);
  const keys: (readonly [string, string])[] = [
    ...asked,
    ...(patients ? [[Tag.PatientID, patients.map(askedText).join(',')] as const] : []),
    ...[...fields].map((field) => ['includefield', field] as const),
    ...(paged && limit !== undefined ? [['limit', String(limit)] as const] : []),
    ...(paged && offset ? [['offset', String(offset)] as const] : []),
  ];
  return `${resource}?${keys.map(([key, value]) => `${key}=${value}`).join('&')}`;
}
