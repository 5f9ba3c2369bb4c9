import type { ImagingStudy } from 'fhir/r4.js';
import { grantFor, type Access } from '../../../../schema/access/access.ts';
import { permitting } from '../../../../schema/access/scopes.ts';
import { Fault, toFault } from '../../../../schema/fault/fault.ts';
import { logFault, type FaultLog } from '../../../../schema/fault/log-fault.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { chunked } from '../../facts/study-rows.ts';
import { inTime } from '../../sources/timeout.ts';
import type { WantedPatients } from '../study-records.ts';
import { recordStudy, type RecordStudies, type RecordStudy } from './record-study.ts';

export interface RecordQuestionsOptions {
  tenant: Tenant;
  access: Access;
  log: FaultLog;
  /** The clinical record; undefined where there is none. */
  recordStudies?: RecordStudies | undefined;
}

/** The record's answer. With a fault there are no studies. */
export interface RecordAnswer {
  studies: readonly RecordStudy[];
  fault?: Fault;
}

/** Seconds that a request waits for the record's half of its studies: the archive's half must not be late with it. */
const RECORD_SECONDS = 10;

const NONE: RecordAnswer = { studies: [] };

/** The questions of one request to the clinical record about its studies, each asked once. */
export class RecordQuestions {
  readonly #options: RecordQuestionsOptions;
  readonly #asked = new Map<string, Promise<RecordAnswer>>();

  constructor(options: RecordQuestionsOptions) {
    this.#options = options;
  }

  /**
   * Asks for the studies of several patients at once (FG-6); `ofPatients` of each is then answered by that.
   * @returns the studies of all of them
   */
  async prefetch(patientIds: readonly string[]): Promise<readonly RecordStudy[]> {
    const { access } = this.#options;
    const asked = chunked(patientIds.filter((id) => grantFor(access, id))).map((some) => {
      const all = this.#ask(`patients ${some.join()}`, (record, tenant) =>
        record.ofPatients(tenant, access, some),
      );
      for (const id of some)
        this.#asked.set(
          `patient ${id}`,
          all.then((answer) => answerOf(answer, id)),
        );
      return all;
    });
    return (await Promise.all(asked)).flatMap(({ studies }) => studies);
  }

  /**
   * Returns the studies of patients.
   * @param ids only these are wanted, if the record has those of all patients
   */
  ofPatients(patients: WantedPatients, ids?: readonly string[]): Promise<RecordAnswer> {
    const { access } = this.#options;
    if (patients === undefined && access.patients === 'all' && ids)
      return this.#ask(`ids ${ids.join()}`, (record, tenant) => record.named(tenant, access, ids));
    const named = typeof patients === 'string' ? [patients] : patients;
    return this.#ask(`patient ${named?.join() ?? ''}`, (record, tenant) =>
      record.ofPatients(tenant, access, named),
    );
  }

  /** Returns the studies that the caller may read: those with this id or, for one patient in reach, all. */
  toRead(id: string): Promise<RecordAnswer> {
    const { access } = this.#options;
    const reading = readAccess(access);
    const [only, ...others] = access.patients === 'all' ? [] : access.patients;
    if (!only || others.length > 0)
      return this.#ask(`read ${id}`, (record, tenant) => record.named(tenant, reading, [id]));
    if (reading === access) return this.ofPatients(only.id);
    return this.#ask('read', (record, tenant) => record.ofPatients(tenant, reading, [only.id]));
  }

  #ask(
    question: string,
    ask: (record: RecordStudies, tenant: Tenant) => Promise<readonly ImagingStudy[]>,
  ): Promise<RecordAnswer> {
    const { recordStudies: record, tenant } = this.#options;
    if (!record?.mayHave(tenant)) return Promise.resolve(NONE);
    const known = this.#asked.get(question);
    if (known) return known;
    const asking = inTime(ask(record, tenant), RECORD_SECONDS).then(
      (found) => ({ studies: studiesIn(found) }),
      (error: unknown) => ({ studies: [], fault: this.#fault(toFault(error)) }),
    );
    this.#asked.set(question, asking);
    return asking;
  }

  #fault(cause: Fault): Fault {
    const { tenant, log } = this.#options;
    logFault(log, cause, { tenant: tenant.key }, 'the clinical record did not say which studies it has');
    const { retryAfter } = cause.details;
    const message =
      'The clinical record did not say which studies it has: some may be missing, or without what it says of them.';
    const details = { service: 'clinical', cause, retryAfter } as const;
    return new Fault(cause.code, message, details);
  }
}

/** Returns the part of an answer that is about one patient. */
function answerOf(answer: RecordAnswer, patient: string): RecordAnswer {
  return { ...answer, studies: answer.studies.filter(({ patientId }) => patientId === patient) };
}

/** Reads studies, each once. */
function studiesIn(resources: readonly ImagingStudy[]): RecordStudy[] {
  const once = new Map(resources.map((resource) => [resource.id, resource]));
  return [...once.values()].flatMap((resource) => recordStudy(resource) ?? []);
}

/** Returns the Access by which the record is searched for a study that is read: only the right to read counts. */
function readAccess(access: Access): Access {
  const reading = permitting(access.permissions, 'ImagingStudy', 'r');
  const searching = permitting(access.permissions, 'ImagingStudy', 's');
  const isSame = reading.length === searching.length && reading.every((one) => searching.includes(one));
  return isSame ? access : { ...access, permissions: reading.map((one) => ({ ...one, interactions: 'rs' })) };
}
