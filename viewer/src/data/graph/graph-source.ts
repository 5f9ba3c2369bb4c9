import type { ResultOf } from 'gql.tada';
import type { EntryKind, PatientRecord, Result, TimelineEntry, Trend } from '../../domain/record/record.ts';
import type { Study } from '../../domain/study.ts';
import { reportOf } from '../fhir/lists.ts';
import { recordOf, type RecordParts } from '../fhir/record.ts';
import { withTexts } from '../fhir/report-texts.ts';
import { omitEmpty, present } from '../fhir/shapes.ts';
import { studyOf, studyUid } from '../fhir/studies.ts';
import { eventOf, resultsEvent } from '../fhir/timeline.ts';
import { isError, resultOf } from '../fhir/words.ts';
import type { RecordSource } from '../source.ts';
import type { Transport } from '../transport.ts';
import { PRIORS, RECORD, TIMELINE_ENTRIES, TREND } from './documents.ts';
import type { IMAGES } from './fragments.ts';
import { ask, troubleOf, type Endpoint, type GraphAnswer, type GraphError } from './graphql.ts';

type Record = NonNullable<ResultOf<typeof RECORD>['Patient']>;
/** The parts that come later. */
type Images = ResultOf<typeof IMAGES>;
type Timeline = NonNullable<NonNullable<Images['timeline']>['entries']>;
type Entry = NonNullable<Timeline[number]>;

/** Records of a tenant of our gateway, by GraphQL. */
export class GraphRecords implements Omit<RecordSource, 'patients' | 'patientOf' | 'accesses' | 'sharing'> {
  readonly #endpoint: Endpoint;
  readonly #fhirBase: string;

  /** @param tenant `{gateway}/{tenant}`, without a slash at the end */
  constructor(tenant: string, transport: Transport) {
    this.#endpoint = { address: `${tenant}/graphql`, transport };
    this.#fhirBase = `${tenant}/fhir/`;
  }

  async record(
    patientId: string,
    signal: AbortSignal,
    onBegun?: (record: PatientRecord) => void,
  ): Promise<PatientRecord> {
    const variables = { id: patientId, entries: TIMELINE_ENTRIES };
    const begun = onBegun && {
      onBegun: ({ data, errors }: GraphAnswer<Partial<ResultOf<typeof RECORD>>>) => {
        if (data?.Patient) onBegun(recordOf(begunRecord(data.Patient, errors)));
      },
    };
    const { data, errors } = await ask({ ...this.#endpoint, signal, ...begun }, RECORD, variables);
    const patient = data?.Patient;
    if (!patient) throw troubleOf(errors);
    return recordOf(await this.#wholeRecord(patient, { errors, signal }));
  }

  async #wholeRecord(
    patient: Record,
    { errors, signal }: { errors: readonly GraphError[]; signal: AbortSignal },
  ): Promise<RecordParts> {
    const images = patient as Partial<Images>;
    const begun = begunRecord(patient, errors);
    const missing = [...begun.missing];
    const reports = present(images.DiagnosticReportList).flatMap(
      (one) => reportOf(one, present(one.ImagingStudyList).map(uidOf), this.#fhirBase) ?? [],
    );
    const { transport } = this.#endpoint;
    const texts = await withTexts(reports, { transport, base: this.#fhirBase, signal });
    if (texts.failed > 0)
      missing.push({ part: 'record', message: `The text of ${texts.failed} reports did not arrive.` });
    if (images.timeline?.next)
      missing.push({
        part: 'record',
        message: `The timeline has the newest ${TIMELINE_ENTRIES} events, and all studies and reports.`,
      });
    const entries = present(images.timeline?.entries);
    return {
      ...begun,
      studies: present(images.ImagingStudyList).flatMap(graphStudy),
      reports: texts.reports,
      events: entries.flatMap(graphEvent),
      resultsOfReport: resultsOfReports(entries),
      missing,
    };
  }

  async trend(patientId: string, code: string, signal: AbortSignal): Promise<readonly Trend[]> {
    const { data, errors } = await ask({ ...this.#endpoint, signal }, TREND, { id: patientId, code: [code] });
    const series = data?.Patient?.trend?.series;
    if (!series) throw troubleOf(errors);
    return present(series).map(({ title, unit, code: coding, points }) => {
      const numbers = present(points).filter(({ date, value }) => date !== null && value !== null);
      const ranged = numbers.findLast(({ low, high }) => low !== null || high !== null);
      return omitEmpty({
        concept: omitEmpty({
          text: title ?? '',
          system: coding?.system ?? undefined,
          code: coding?.code ?? undefined,
        }),
        unit: unit ?? undefined,
        points: numbers.map(({ date, value, flag }) => ({
          date: date!,
          value: value!,
          flags: flag ? [flag] : [],
        })),
        range: ranged && omitEmpty({ low: ranged.low ?? undefined, high: ranged.high ?? undefined }),
      });
    });
  }

  async priors(studyUid: string, signal: AbortSignal): Promise<readonly string[]> {
    const { data, errors } = await ask({ ...this.#endpoint, signal }, PRIORS, { uid: studyUid });
    const priors = data?.ImagingStudy?.priors;
    if (!priors) throw troubleOf(errors);
    return present(priors).map(uidOf);
  }
}

/** Returns what of a record does not wait for the archive. */
function begunRecord(patient: Record, errors: readonly GraphError[]): RecordParts {
  return {
    patient,
    allergies: patient.AllergyIntoleranceList,
    conditions: patient.ConditionList,
    medications: patient.MedicationRequestList,
    studies: [],
    reports: [],
    events: [],
    resultsOfReport: new Map<string, Result[]>(),
    missing: errors.map(missingOf),
  };
}

function missingOf({ service, message }: GraphError): { part: 'images' | 'record'; message: string } {
  return { part: service === 'imaging' ? 'images' : 'record', message };
}

function uidOf(study: {
  id: string | null;
  identifier: Parameters<typeof studyUid>[0]['identifier'];
}): string {
  return studyUid(study) ?? study.id ?? '';
}

/** Images are where the retrieve URLs of the series say: below the DICOMweb base. */
function graphStudy(study: NonNullable<NonNullable<Images['ImagingStudyList']>[number]>): Study | [] {
  const series = ({ wadoUrl }: { wadoUrl: string | null }) =>
    wadoUrl?.includes('/studies/')
      ? { dicomweb: wadoUrl.slice(0, wadoUrl.lastIndexOf('/studies/')) }
      : undefined;
  return studyOf(study, { series }) ?? [];
}

const KINDS: { [kind in Exclude<Entry['kind'], null | 'study' | 'report'>]: EntryKind } = {
  condition: 'problem',
  document: 'document',
  encounter: 'encounter',
  immunization: 'immunization',
  laboratory: 'laboratory',
  medication: 'medication',
  procedure: 'procedure',
  vitalSigns: 'vital-signs',
};

/** Returns an event; none for studies and reports, which come whole with their lists. */
function graphEvent({ kind, date, end, title, resource, observations }: Entry): TimelineEntry | [] {
  if (kind === null || kind === 'study' || kind === 'report') return [];
  if (kind === 'laboratory' || kind === 'vitalSigns') {
    const results = resultsOf(observations);
    return results.length > 0 ? resultsEvent(kind === 'laboratory' ? kind : 'vital-signs', results) : [];
  }
  if (!resource || !('id' in resource) || !resource.id) return [];
  if (resource.__typename === 'DiagnosticReport' || isError(resource)) return [];
  return eventOf(KINDS[kind], `${resource.__typename}/${resource.id}`, {
    date: date ?? undefined,
    end: end ?? undefined,
    title: title ?? '',
  });
}

function resultsOfReports(entries: readonly Entry[]): Map<string, Result[]> {
  const reports = entries.filter(({ resource }) => resource?.__typename === 'DiagnosticReport');
  return new Map(
    reports.map(({ resource, observations }) => [(resource as { id: string }).id, resultsOf(observations)]),
  );
}

function resultsOf(observations: Entry['observations']): Result[] {
  return present(observations).flatMap((one) => resultOf(one) ?? []);
}
