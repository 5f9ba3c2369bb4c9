import type { Access } from '../../../schema/access/access.ts';
import { UID } from '../../../schema/dicom/dicom.ts';
import { keywordOf } from '../../../schema/dicom/dictionary.ts';
import {
  ALLOWED,
  outcomeOf,
  querySummary,
  type Operation,
  type RecordOperation,
} from '../../../schema/access/audit.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { andThen, orElse, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Target } from '../sources/source.ts';
import type { StudyQuery } from './study-records.ts';

const IMAGING_STUDY = 'ImagingStudy';
const SEARCH = { action: 'search', type: IMAGING_STUDY, query: IMAGING_STUDY } as const;

/** Runs the operations of one request on images and records each once, allowed or denied (IA-30). */
export class AuditTrail {
  readonly #record: RecordOperation | undefined;
  /** The patient of every answer, if the token covers one patient; otherwise each study says its patient. */
  readonly #context: string | undefined;
  readonly #mayReachAll: boolean;

  /** @param record undefined for questions that another operation asks: that operation is recorded */
  constructor({ patients }: Access, record: RecordOperation | undefined) {
    this.#record = record;
    this.#context = patients !== 'all' && patients.length === 1 ? patients[0]!.id : undefined;
    this.#mayReachAll = patients === 'all';
  }

  /**
   * Runs a search, which is recorded once for each patient (BALP §3:5.7.5). A refusal because of the patient names a
   * patient only if the client did.
   * @param what a query, or the logical id of the patient whose studies are listed; undefined for all in reach
   */
  searched<T>(
    what: StudyQuery | string | undefined,
    run: () => Awaitable<T>,
    ownersIn: (found: T) => readonly (string | undefined)[],
  ): Awaitable<T> {
    const record = this.#record;
    if (!record) return run();
    const asked = askedOf(what);
    const recordAllowed = (found: T): T => {
      const named = asked.patient ?? this.#context;
      const patients =
        named === undefined ? [...new Set(ownersIn(found).filter((id) => id !== undefined))] : [named];
      for (const patient of patients) record({ outcome: ALLOWED, ...asked, patient });
      if (patients.length === 0) record({ outcome: ALLOWED, ...asked });
      return found;
    };
    return this.#orRefused(() => andThen(run(), recordAllowed), asked, asked.patient);
  }

  /** Runs the check of a patient whom a search names. Only a refusal is recorded, because the search does not run then. */
  checked<T>(named: string | undefined, run: () => Awaitable<T>): Awaitable<T> {
    const patient = named !== undefined && FHIR_ID.test(named) ? named : undefined;
    return this.#orRefused(run, SEARCH, patient);
  }

  /** Runs the read of a study, which finds nothing for one out of reach. */
  async found<T>(
    id: string,
    run: () => Promise<T | undefined>,
    ownerIn: (found: T) => string | undefined,
  ): Promise<T | undefined> {
    const operation = { action: 'read', type: IMAGING_STUDY, ...studyOf(id) } as const;
    const found = await this.#orRefused(run, operation);
    const patient = found && ownerIn(found);
    const outcome = found ? ALLOWED : outcomeOf(new Fault('not_found', 'There is no such study.'));
    this.#record?.({ ...operation, patient, outcome });
    return found;
  }

  /** Runs a retrieval of a part of a study. @param owner is asked after it, if the token covers several patients */
  async retrieved<T>(
    { studyUid, seriesUid, instanceUid }: Target,
    part: string,
    { run, owner }: { run: () => Promise<T>; owner: () => Promise<string | undefined> },
  ): Promise<T> {
    const record = this.#record;
    if (!record) return run();
    const within = [seriesUid && `series/${seriesUid}`, instanceUid && `instances/${instanceUid}`, part];
    const path = within.filter(Boolean).join('/');
    const operation = {
      action: 'retrieve',
      type: IMAGING_STUDY,
      study: studyUid,
      ...(path !== '' && { target: path }),
    } as const;
    const found = await this.#orRefused(run, operation);
    const patient = this.#context ?? (this.#mayReachAll ? undefined : await owner());
    record({ outcome: ALLOWED, ...operation, patient });
    return found;
  }

  /** Runs an operation and records its refusal. @param named the patient that the request names */
  #orRefused<T>(
    run: () => Awaitable<T>,
    operation: Omit<Operation, 'outcome'>,
    named = this.#context,
  ): Awaitable<T> {
    const record = this.#record;
    if (!record) return run();
    return orElse(run, (error) => {
      const code = error instanceof Fault ? error.code : undefined;
      const isOther = code === 'forbidden' || code === 'not_found';
      const patient = isOther && named === this.#context ? undefined : named;
      // Another media type may still be given; if none is, the request is recorded at its end.
      if (code !== 'not_acceptable')
        record({ ...operation, patient: patient ?? operation.patient, outcome: outcomeOf(error) });
      throw error;
    });
  }
}

/** Largest number of frames that an audit record names. */
export const MOST_NAMED_FRAMES = 100;

/** Names frames in an audit record. */
export function framesPart(numbers: readonly number[]): string {
  return `frames/${numbers.slice(0, MOST_NAMED_FRAMES).join(',')}`;
}

/** Returns the part of a record that is known before a search runs: a literal of its own, as decision 14 wants it. */
function askedOf(what: StudyQuery | string | undefined): Omit<Operation, 'outcome'> {
  const { action, type, query } = SEARCH;
  if (typeof what !== 'object') return { action, type, query, patient: what };
  return { action, type, query: summaryOf(what), ...studyOf(what.studyUid) };
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
