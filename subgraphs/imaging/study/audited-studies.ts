import type { Operation, RecordOperation } from '../../../schema/fault/audit.ts';
import { ALLOWED, outcomeOf, querySummary } from '../../../schema/fault/audit.ts';
import type { Access } from '../../../schema/access/access.ts';
import { UID } from '../../../schema/dicom/dicom.ts';
import { keywordOf } from '../../../schema/dicom/dictionary.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { andThen, orElse, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { StudyQuery } from './study-query.ts';
import type { Target } from '../sources/source.ts';
import type { Study } from './study.ts';
import type {
  Detail,
  Imaging,
  JoinedStudy,
  SearchResult,
  StudyFilter,
  StudyList,
  StudyRecord,
} from './studies.ts';

const IMAGING_STUDY = 'ImagingStudy';
const SEARCH = { action: 'search', type: IMAGING_STUDY } as const;

/** The part of a record that is known before a search runs. */
type Asked = Pick<Operation, 'patient' | 'study' | 'query'>;

/**
 * Wraps the core of one request and records every operation, allowed or denied (IA-30). All APIs call the core through
 * it, so all leave the same record.
 *
 * It is a class because V8 makes a hidden class for each object literal with getters, and that keeps the whole request in
 * memory until the next full garbage collection.
 */
export class AuditedStudies implements Imaging {
  readonly tenant: Tenant;
  readonly access: Access;
  readonly #core: Imaging;
  readonly #record: RecordOperation;
  /** The patient of every answer, if the token covers one patient; otherwise each study says its patient. */
  readonly #context: string | undefined;

  constructor(core: Imaging, record: RecordOperation) {
    const { tenant, access } = core;
    this.tenant = tenant;
    this.access = access;
    this.#core = core;
    this.#record = record;
    this.#context =
      access.patients !== 'all' && access.patients.length === 1 ? access.patients[0]!.id : undefined;
  }

  get sourceFaults(): readonly Fault[] {
    return this.#core.sourceFaults;
  }

  async search(query: StudyQuery): Promise<SearchResult> {
    return this.#searched(
      { query: summaryOf(query), ...studyOf(query.studyUid) },
      () => this.#core.search(query),
      ({ patients = [] }) => patients,
    );
  }

  /** Not recorded: it gives nothing to the caller. */
  prefetch(patientIds: readonly string[]): Promise<void> {
    return this.#core.prefetch(patientIds);
  }

  studiesOf(patient: string | undefined, filter?: StudyFilter): Awaitable<StudyList> {
    return this.#searched(
      { query: IMAGING_STUDY, ...(patient !== undefined && { patient }) },
      () => this.#core.studiesOf(patient, filter),
      ({ records }) => records.map(({ patientId }) => patientId),
    );
  }

  joinedStudiesOf(patient: string | undefined, filter?: StudyFilter): Awaitable<StudyList> {
    return this.#searched(
      { query: IMAGING_STUDY, ...(patient !== undefined && { patient }) },
      () => this.#core.joinedStudiesOf(patient, filter),
      ({ records, alone = [] }) => [...records, ...alone].map(({ patientId }) => patientId),
    );
  }

  study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined> {
    return this.#read(
      studyUid,
      () => this.#core.study(studyUid, detail),
      ({ patientId }) => patientId,
    );
  }

  joinedStudy(id: string, detail?: Detail): Promise<JoinedStudy | undefined> {
    return this.#read(
      id,
      () => this.#core.joinedStudy(id, detail),
      ({ record, own }) => record?.patientId ?? own?.patientId,
    );
  }

  async #read<T>(
    studyUid: string,
    run: () => Promise<T | undefined>,
    ownerIn: (found: T) => string | undefined,
  ): Promise<T | undefined> {
    const operation = { action: 'read', type: IMAGING_STUDY, ...studyOf(studyUid) } as const;
    try {
      const found = await run();
      const patient = found && ownerIn(found);
      const outcome = found ? ALLOWED : outcomeOf(new Fault('not_found', 'There is no such study.'));
      this.#record({ ...operation, ...(patient !== undefined && { patient }), outcome });
      return found;
    } catch (error) {
      this.#recordRefused(operation, error);
      throw error;
    }
  }

  patientById(id: string): string {
    try {
      return this.#core.patientById(id);
    } catch (error) {
      const named = FHIR_ID.test(id) ? { patient: id } : {};
      this.#record({ ...SEARCH, query: IMAGING_STUDY, ...named, outcome: outcomeOf(error) });
      throw error;
    }
  }

  async patientByIdentifier(value: string, system?: string): Promise<string> {
    try {
      return await this.#core.patientByIdentifier(value, system);
    } catch (error) {
      this.#record({ ...SEARCH, query: IMAGING_STUDY, outcome: outcomeOf(error) });
      throw error;
    }
  }

  read<T>(target: Target, part: string, work: (study: Study) => Promise<T>): Promise<T> {
    return this.#retrieved(target, part, () => this.#core.read(target, part, work));
  }

  /**
   * Records a search once for each patient (BALP §3:5.7.5). A refusal because of the patient names a patient only if
   * the client did.
   */
  #searched<T>(
    asked: Asked,
    run: () => Awaitable<T>,
    ownersIn: (found: T) => readonly (string | undefined)[],
  ): Awaitable<T> {
    const recordAllowed = (found: T): T => {
      const named = asked.patient ?? this.#context;
      const patients =
        named === undefined ? [...new Set(ownersIn(found).filter((id) => id !== undefined))] : [named];
      for (const patient of patients) this.#record({ outcome: ALLOWED, ...SEARCH, ...asked, patient });
      if (patients.length === 0) this.#record({ outcome: ALLOWED, ...SEARCH, ...asked });
      return found;
    };
    return orElse(
      () => andThen(run(), recordAllowed),
      (error) => {
        this.#recordRefused({ ...SEARCH, ...asked }, error, asked.patient);
        throw error;
      },
    );
  }

  async #retrieved<T>(target: Target, part: string, run: () => Promise<T>): Promise<T> {
    const { studyUid, seriesUid, instanceUid } = target;
    const within = [seriesUid && `series/${seriesUid}`, instanceUid && `instances/${instanceUid}`, part];
    const path = within.filter(Boolean).join('/');
    const operation = {
      action: 'retrieve',
      type: IMAGING_STUDY,
      study: studyUid,
      ...(path !== '' && { target: path }),
    } as const;
    try {
      const found = await run();
      const patient = await this.#ownerOf(studyUid);
      if (found !== undefined)
        this.#record({ outcome: ALLOWED, ...operation, ...(patient !== undefined && { patient }) });
      return found;
    } catch (error) {
      // Another media type may still be given; if none is, the request is recorded at its end.
      const isForm = error instanceof Fault && error.code === 'not_acceptable';
      if (!isForm) this.#recordRefused(operation, error);
      throw error;
    }
  }

  /** Returns the patient of a retrieved study. With several patients, the check of the retrieval has just read the row. */
  async #ownerOf(study: string): Promise<string | undefined> {
    if (this.#context !== undefined || this.access.patients === 'all') return this.#context;
    return this.#core.study(study, 'study').then(
      (found) => found?.patientId,
      () => undefined,
    );
  }

  /** @param named the patient that the request names, or else the one that the token covers */
  #recordRefused(operation: Omit<Operation, 'outcome'>, error: unknown, named = this.#context): void {
    const isOther = error instanceof Fault && (error.code === 'forbidden' || error.code === 'not_found');
    const patient = isOther && named === this.#context ? undefined : named;
    this.#record({ ...operation, ...(patient !== undefined && { patient }), outcome: outcomeOf(error) });
  }
}

/** Largest number of frames that an audit record names. */
export const MOST_NAMED_FRAMES = 100;

/** Names frames in an audit record. */
export function framesPart(numbers: readonly number[]): string {
  return `frames/${numbers.slice(0, MOST_NAMED_FRAMES).join(',')}`;
}

function studyOf(studyUid: string | undefined): { study?: string } {
  return studyUid !== undefined && UID.test(studyUid) ? { study: studyUid } : {};
}

/**
 * Summarizes a query: the level unless it is `study`, and the keywords of its keys. Leaves out values: they may be
 * names and identifiers.
 */
function summaryOf({ level, patientIds, match }: StudyQuery): string {
  const keys = [...match.keys(), ...(patientIds ? ['00100020'] : [])].map((tag) => keywordOf(tag) ?? tag);
  const parameters = keys.map((key) => [key, ''] as const);
  return querySummary(level === 'study' ? IMAGING_STUDY : `${IMAGING_STUDY}/${level}`, parameters);
}
