import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
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

/** Most rows of one search: a server that always has more must not fill the memory. */
const MOST_ROWS = 200_000;

/**
 * Servers have a limit of their own for one answer, a round number, and not all say that there is more. A full answer is
 * followed by one more question.
 */
const ROUND = 100;

/**
 * Searches a server by QIDO-RS (PS3.18 §10.6). Every row is checked again, because servers may match more than
 * requested. A server that gives a part of its rows at a time is asked for the others.
 * @param json reads the rows of the server at a path
 * @param lists whether the server takes lists of PatientIDs
 * @throws Fault `bad_gateway` if the server says that it has more rows and does not give them
 */
export async function searchServer(
  query: SourceQuery,
  json: (path: string) => Promise<AnsweredRows>,
  lists: PatientLists,
): Promise<DicomJson[]> {
  const { level, patientIds, studyUid, limit, offset = 0 } = query;
  if (patientIds?.length === 0) return [];
  const keys = askedKeys(query);
  const page = async (patients: readonly string[] | undefined, wanted: Page) => {
    const ask = async (part: Page) => {
      const answer = await json(searchPath(query, keys, patients, part));
      for (const row of answer.rows) addAskedUids(row, query);
      return answer;
    };
    const { rows, cut } = await allRows(wanted, level, ask);
    if (cut && !(patients && patients.length > 1)) throw partOnly();
    const ours = rows
      .filter((row) => isWithin(row, query) && isOfPatients(row, patientIds) && keys.meets(row))
      .filter(distinctRows(level));
    return { ours, complete: ours.length === rows.length, cut };
  };
  // The owner of a study is known before a search within it, where a server need not match PatientID.
  const asked = studyUid ? undefined : patientIds && [...new Set(patientIds.map(({ value }) => value))];
  if (!asked || asked.length === 1) {
    const { ours, complete } = await page(asked, { limit, offset });
    if (complete || (limit === undefined && offset === 0)) return ours;
  }
  const answers = asked
    ? await lists.find(asked, (patients) => page(patients, ALL))
    : [(await page(undefined, ALL)).ours];
  const ours = answers.flat().filter(distinctRows(level));
  return ours.slice(offset, limit === undefined ? undefined : offset + limit);
}

/** A part of the rows of a search. */
interface Page {
  limit?: number | undefined;
  offset: number;
}

const ALL: Page = { offset: 0 };

/**
 * Asks until the server has no more rows of a page, or gives none that are new.
 * @returns `cut` is true if the server still says that it has more
 */
async function allRows(
  { limit = Infinity, offset }: Page,
  level: Level,
  ask: (part: Page) => Promise<AnsweredRows>,
): Promise<AnsweredRows> {
  const all: DicomJson[] = [];
  const isNew = distinctRows(level);
  for (;;) {
    const left = limit - all.length;
    const part = { offset: offset + all.length, limit: left === Infinity ? undefined : left };
    const { rows, cut } = await ask(part);
    const isFirst = all.length === 0;
    const added = rows.filter(isNew);
    // The caller sees rows that a server repeats within its first answer.
    all.push(...(isFirst ? rows : added));
    const mayHaveMore = cut || (rows.length > 0 && rows.length % ROUND === 0);
    if (!mayHaveMore || all.length >= limit) return { rows: all, cut: false };
    if (added.length === 0) return { rows: all, cut };
    if (all.length > MOST_ROWS) return { rows: all, cut: true };
  }
}

function partOnly(): Fault {
  const message =
    'The image archive gives only a part of this list. Ask for less, such as one study or a shorter time.';
  return new Fault('bad_gateway', message, { service: 'imaging' });
}

/** A server need not repeat the UIDs of the path in its rows (PS3.18 §10.6.3.3). */
function addAskedUids(row: DicomJson, query: SourceQuery): void {
  for (const [tag, uid] of uidsOf(query)) if (uid !== undefined) row[tag] ??= { vr: 'UI', Value: [uid] };
}

/** Tells whether a row belongs to the requested study and series. */
function isWithin(row: DicomJson, query: SourceQuery): boolean {
  return uidsOf(query).every(([tag, uid]) => uid === undefined || text(row, tag) === uid);
}

const uidsOf = ({ studyUid, seriesUid }: SourceQuery) =>
  [
    [Tag.StudyInstanceUID, studyUid],
    [Tag.SeriesInstanceUID, seriesUid],
  ] as const;

/**
 * Returns the path with checked keys (DW-3), each once: Orthanc ignores unknown keys and uses the last of equal ones.
 */
function searchPath(
  query: SourceQuery,
  { asked, needed }: AskedKeys,
  patients: readonly string[] | undefined,
  { limit, offset }: Page,
): string {
  const { level, studyUid, seriesUid, includeField } = query;
  const scope = studyUid === undefined ? '' : pathOf({ studyUid, ...(seriesUid && { seriesUid }) });
  const resource = { study: '/studies', series: `${scope}/series`, instance: `${scope}/instances` }[level];
  const fields = new Set([...WANTED[level], ...needed, ...(includeField === 'all' ? ['all'] : includeField)]);
  const keys: (readonly [string, string])[] = [
    ...asked,
    ...(patients ? [[Tag.PatientID, patients.map(askedText).join(',')] as const] : []),
    ...[...fields].map((field) => ['includefield', field] as const),
    ...(limit !== undefined ? [['limit', String(limit)] as const] : []),
    ...(offset ? [['offset', String(offset)] as const] : []),
  ];
  return `${resource}?${keys.map(([key, value]) => `${key}=${value}`).join('&')}`;
}
