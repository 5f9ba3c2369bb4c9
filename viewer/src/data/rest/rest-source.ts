import type { PatientRecord, Person, TimelineEntry, Trend } from '../../domain/record/record.ts';
import type { Study } from '../../domain/study.ts';
import { reportOf } from '../fhir/lists.ts';
import { recordOf } from '../fhir/record.ts';
import { withTexts } from '../fhir/report-texts.ts';
import type { FhirAllergy, FhirPatient, FhirReference, Maybe } from '../fhir/shapes.ts';
import { newestFirst } from '../fhir/studies.ts';
import { eventOf } from '../fhir/timeline.ts';
import { isError } from '../fhir/words.ts';
import type { Page, RecordSource } from '../source.ts';
import type { Transport } from '../transport.ts';
import { Trouble } from '../trouble.ts';
import { priorsOf } from './priors.ts';
import { imagingBase } from './imaging-base.ts';
import { studiesOfReport, type RestOrder, type RestReport } from './joins.ts';
import { findPatients } from './patients.ts';
import { studiesOf, type RestStudies } from './rest-studies.ts';
import { trendsOf } from './rest-trend.ts';
import { accessesOf } from './accesses.ts';
import { patientIdOf, patientOfStudy } from './study-patient.ts';
import { groupResults, type GroupedObservation } from './results.ts';
import { read, search, type Asking, type FhirServer, type Parameters, type Resource } from './search.ts';
import { EVENT_TYPES, type EventResource } from './timeline-types.ts';

type Missing = PatientRecord['missing'][number];

/** Any FHIR R4 server, by its REST API, with the imaging server that it names. */
export class RestSource implements RecordSource {
  readonly #server: FhirServer;

  /** @param base FHIR base URL, without a slash at the end */
  constructor(base: string, transport: Transport) {
    this.#server = { base, transport };
  }

  patients(asked: { text?: string; next?: string }, signal: AbortSignal): Promise<Page<Person>> {
    return findPatients({ ...this.#server, signal }, asked);
  }

  async record(patientId: string, signal: AbortSignal): Promise<PatientRecord> {
    const server = { ...this.#server, signal };
    const parts = new Parts(server, patientId);
    const observed = { category: 'laboratory,vital-signs', _sort: '-date' };
    const [patient, allergies, reports, orders, observations, images, ...events] = await Promise.all([
      read<FhirPatient & Resource>(server, 'Patient', patientId),
      parts.list<FhirAllergy & Resource>('AllergyIntolerance'),
      parts.list<RestReport>('DiagnosticReport', { _sort: '-date' }),
      parts.list<RestOrder>('ServiceRequest'),
      parts.list<GroupedObservation & Resource>('Observation', observed),
      parts.images(),
      ...EVENT_TYPES.map(({ type, parameters }) => parts.list<EventResource>(type, parameters)),
    ]);
    const base = `${this.#server.base}/`;
    const known = reports.flatMap((one) => reportOf(one, studiesOfReport(one, images, orders), base) ?? []);
    const texts = await withTexts(known, { transport: this.#server.transport, base, signal });
    if (texts.failed > 0)
      parts.missing.push({ part: 'record', message: `The text of ${texts.failed} reports did not arrive.` });
    const grouped = groupResults(observations, texts.reports);
    const ofType = (type: string): EventResource[] =>
      events[EVENT_TYPES.findIndex((one) => one.type === type)]!;
    return recordOf({
      patient,
      allergies: parts.ifRead('AllergyIntolerance', allergies),
      conditions: parts.ifRead('Condition', ofType('Condition')),
      medications: parts.ifRead('MedicationRequest', ofType('MedicationRequest')),
      visitsUnread: parts.ifRead('Encounter', []) === undefined,
      studies: images.map(({ study }) => study),
      reports: texts.reports,
      events: [...EVENT_TYPES.flatMap((_, index) => eventsOf(index, events[index]!)), ...grouped.events],
      resultsOfReport: grouped.resultsOfReport,
      missing: parts.missing,
    });
  }

  async trend(patientId: string, code: string, signal: AbortSignal): Promise<readonly Trend[]> {
    const parameters = { patient: patientId, 'combo-code': code, _sort: '-date' };
    const found = await search<GroupedObservation & Resource>(
      { ...this.#server, signal },
      'Observation',
      parameters,
    );
    return trendsOf(
      found.matches.filter((one) => isOf(one, patientId)),
      code,
    );
  }

  async patientOf(study: string, signal: AbortSignal): Promise<string> {
    return patientOfStudy(await imagingServer({ ...this.#server, signal }), study);
  }

  accesses(asked: { patient: string; next?: string | undefined }, signal: AbortSignal) {
    return accessesOf({ ...this.#server, signal }, asked);
  }

  async priors(studyUid: string, signal: AbortSignal): Promise<readonly string[]> {
    const imaging = await imagingServer({ ...this.#server, signal });
    const { studies } = await studiesOf(imaging, await patientOfStudy(imaging, studyUid));
    const all = newestFirst(studies.map(({ study }): Study => study));
    const study = all.find(({ uid }) => uid === studyUid);
    return study ? priorsOf(study, all) : [];
  }

  sharing(): Promise<never> {
    return Promise.reject(new Trouble('not-found', 'only our gateway has links'));
  }
}

/** Returns the server of a patient's imaging; it may see the token. */
async function imagingServer(server: Asking): Promise<Asking> {
  const base = await imagingBase(server);
  server.transport.trust(base);
  return { ...server, base };
}

/** The searches of one record. One that fails leaves its part out and says so; the others are shown. */
class Parts {
  readonly missing: Missing[] = [];
  readonly #unread = new Set<string>();
  readonly #server: Asking;
  readonly #patientId: string;

  constructor(server: Asking, patientId: string) {
    this.#server = server;
    this.#patientId = patientId;
  }

  async list<T extends Resource>(type: string, parameters: Parameters = {}): Promise<T[]> {
    try {
      const asked = { patient: this.#patientId, ...parameters };
      const { matches, incomplete } = await search<T>(this.#server, type, asked);
      if (incomplete !== undefined) this.missing.push({ part: 'record', message: incomplete });
      const own = this.#own(matches, 'record');
      if (own.length === 0 && (incomplete !== undefined || matches.length > 0)) this.#unread.add(type);
      return own;
    } catch (error) {
      this.#unread.add(type);
      // A server that does not have the type has nothing of it.
      if (error instanceof Trouble && error.kind === 'not-found') return [];
      return this.#leftOut('record', type, error);
    }
  }

  /** Returns the list of a type; undefined if it was not read. */
  ifRead<T>(type: string, list: T): T | undefined {
    return this.#unread.has(type) ? undefined : list;
  }

  async images(): Promise<RestStudies['studies']> {
    try {
      const imaging = await imagingServer(this.#server);
      const { studies, incomplete } = await studiesOf(imaging, this.#patientId);
      if (incomplete !== undefined) this.missing.push({ part: 'images', message: incomplete });
      const own = this.#own(
        studies.map(({ resource }) => resource),
        'images',
      );
      return studies.filter(({ resource }) => own.includes(resource));
    } catch (error) {
      if (error instanceof Trouble && error.kind === 'not-found') {
        this.missing.push({
          part: 'images',
          message: 'This server has no imaging (ImagingStudy), and names no other that has.',
        });
        return [];
      }
      return this.#leftOut('images', 'ImagingStudy', error);
    }
  }

  /** Leaves out what is of another patient: a server may not know the parameter, and give everything. */
  #own<T extends Resource>(resources: readonly T[], part: Missing['part']): T[] {
    const own = resources.filter((one) => isOf(one, this.#patientId));
    if (own.length < resources.length)
      this.missing.push({ part, message: 'The server sent data of another patient. They are not shown.' });
    return own;
  }

  #leftOut(part: Missing['part'], type: string, error: unknown): [] {
    // The end of the session concerns the whole record. An imaging server that does not take its token does not.
    if (!(error instanceof Trouble) || (part === 'record' && error.kind === 'signed-out')) throw error;
    this.missing.push({
      part,
      message: error.message.startsWith(type) ? error.message : `${type}: ${error.message}`,
    });
    return [];
  }
}

function eventsOf(index: number, resources: readonly EventResource[]): TimelineEntry[] {
  const { type, kind, when, title } = EVENT_TYPES[index]!;
  return resources.flatMap((one) => {
    if (!one.id || isError(one)) return [];
    const { start, end } = when(one);
    return eventOf(kind, `${type}/${one.id}`, {
      date: start ?? undefined,
      end: end ?? undefined,
      title: title(one),
    });
  });
}

/** Returns true for a resource whose subject is the patient, or that names none. */
function isOf(resource: Resource, patientId: string): boolean {
  const { subject, patient } = resource as { subject?: Maybe<FhirReference>; patient?: Maybe<FhirReference> };
  const id = patientIdOf(subject ?? patient);
  return id === undefined || id === patientId;
}
