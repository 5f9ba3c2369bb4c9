import type { Operation, RecordOperation } from '../../../schema/fault/audit.ts';
import { ALLOWED, outcomeOf, querySummary } from '../../../schema/fault/audit.ts';
import type { Access } from '../../../schema/access/access.ts';
import { UID } from '../../../schema/dicom/dicom.ts';
import { keywordOf } from '../../../schema/dicom/dictionary.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Order } from '../authorization/directory.ts';
import type { EncodedMetadata } from '../cache/metadata-cache.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { StudyQuery } from './study-query.ts';
import type { Frames, BulkData, InstanceTarget, StoredInstance, Target } from '../sources/source.ts';
import type { Reading } from './study-reader.ts';
import type {
  Detail,
  Imaging,
  Relayed,
  SearchResult,
  StudyFilter,
  StudyList,
  StudyRecord,
} from './studies.ts';

const IMAGING_STUDY = 'ImagingStudy';
const SEARCH = { action: 'search', type: IMAGING_STUDY } as const;

/** What is recorded of a search before its outcome is known. */
type Asked = Pick<Operation, 'patient' | 'study' | 'query'>;

/**
 * The core of one request with a record of everything that it is asked for, allowed or denied (IA-30): it stands before
 * the core, so that all three APIs leave the same record.
 *
 * A class, because an object literal with getters costs more: the engine makes a hidden class of its own for each such
 * object, which keeps the whole request in memory until the next full garbage collection.
 */
export class AuditedStudies implements Imaging {
  readonly tenant: Tenant;
  readonly access: Access;
  readonly #core: Imaging;
  readonly #record: RecordOperation;
  /** The patient of a token that is of one patient; several are told apart by their studies. */
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

  get unanswered(): readonly Fault[] {
    return this.#core.unanswered;
  }

  get replaced(): boolean {
    return this.#core.replaced;
  }

  search(query: StudyQuery): Promise<SearchResult> {
    return this.#searched(
      { ...studyOf(query.studyUid), query: summaryOf(query) },
      () => this.#core.search(query),
      ({ patients = [] }) => patients,
    );
  }

  studiesOf(patient: string | undefined, filter?: StudyFilter): Promise<StudyList> {
    return this.#searched(
      { ...(patient !== undefined && { patient }), query: IMAGING_STUDY },
      () => this.#core.studiesOf(patient, filter),
      ({ records }) => records.map(({ patientId }) => patientId),
    );
  }

  async study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined> {
    const operation = { action: 'read', type: IMAGING_STUDY, ...studyOf(studyUid) } as const;
    try {
      const found = await this.#core.study(studyUid, detail);
      const patient = found?.patientId;
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

  order(id: string): Promise<Order | undefined> {
    return this.#core.order(id);
  }

  metadata(target: InstanceTarget): Promise<ObjectMetadata> {
    return this.#retrieved(target, 'metadata', () => this.#core.metadata(target));
  }

  encodedMetadata(target: Target): Promise<EncodedMetadata> {
    return this.#retrieved(target, 'metadata', () => this.#core.encodedMetadata(target));
  }

  retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    return this.#retrieved(target, '', () => this.#core.retrieve(target, transferSyntax));
  }

  relay(target: Target, transferSyntax: string): Promise<Relayed | undefined> {
    return this.#retrieved(target, '', () => this.#core.relay(target, transferSyntax));
  }

  frames(target: InstanceTarget, numbers: readonly number[]): Promise<Frames> {
    return this.#retrieved(target, framesPart(numbers), () => this.#core.frames(target, numbers));
  }

  bulkdata(target: InstanceTarget, path: string): Promise<BulkData> {
    return this.#retrieved(target, 'bulkdata', () => this.#core.bulkdata(target, path));
  }

  reading<T>(target: Target, part: string, work: (core: Reading) => Promise<T>): Promise<T> {
    return this.#retrieved(target, part, () => this.#core.reading(target, part, work));
  }

  /** Runs a search. One record for each patient (BALP §3:5.7.5); one who is refused for who they are, only if named. */
  async #searched<T>(
    asked: Asked,
    run: () => Promise<T>,
    ownersIn: (found: T) => readonly (string | undefined)[],
  ): Promise<T> {
    try {
      const found = await run();
      const named = asked.patient ?? this.#context;
      const patients =
        named === undefined ? [...new Set(ownersIn(found).filter((id) => id !== undefined))] : [named];
      for (const patient of patients) this.#record({ ...SEARCH, ...asked, patient, outcome: ALLOWED });
      if (patients.length === 0) this.#record({ ...SEARCH, ...asked, outcome: ALLOWED });
      return found;
    } catch (error) {
      this.#recordRefused({ ...SEARCH, ...asked }, error, asked.patient);
      throw error;
    }
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
        this.#record({ ...operation, ...(patient !== undefined && { patient }), outcome: ALLOWED });
      return found;
    } catch (error) {
      // Another form may yet be given; where none is, the request is recorded when it ends.
      const isForm = error instanceof Fault && error.code === 'not_acceptable';
      if (!isForm) this.#recordRefused(operation, error);
      throw error;
    }
  }

  /** The owner of a study for a token of several patients: the check of the retrieval has just asked for it. */
  async #ownerOf(study: string): Promise<string | undefined> {
    if (this.#context !== undefined || this.access.patients === 'all') return this.#context;
    return this.#core.study(study, 'study').then(
      (found) => found?.patientId,
      () => undefined,
    );
  }

  /** @param named whom the request names; where it names nobody, whom the token is of */
  #recordRefused(operation: Omit<Operation, 'outcome'>, error: unknown, named = this.#context): void {
    const isOther = error instanceof Fault && (error.code === 'forbidden' || error.code === 'not_found');
    const patient = isOther && named === this.#context ? undefined : named;
    this.#record({ ...operation, ...(patient !== undefined && { patient }), outcome: outcomeOf(error) });
  }
}

/** How a record names frames. */
export function framesPart(numbers: readonly number[]): string {
  return `frames/${numbers.slice(0, 100).join(',')}`;
}

function studyOf(studyUid: string | undefined): { study?: string } {
  return studyUid !== undefined && UID.test(studyUid) ? { study: studyUid } : {};
}

/** The level, where it is not that of studies, and the keys by their keywords: values may be names and identifiers. */
function summaryOf({ level, patientIds, match }: StudyQuery): string {
  const keys = [...match.keys(), ...(patientIds ? ['00100020'] : [])].map((tag) => keywordOf(tag) ?? tag);
  const parameters = keys.map((key) => [key, ''] as const);
  return querySummary(level === 'study' ? IMAGING_STUDY : `${IMAGING_STUDY}/${level}`, parameters);
}
