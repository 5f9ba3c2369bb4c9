import type { FastifyBaseLogger } from 'fastify';
import type { LRUCache } from 'lru-cache';
import type { Access } from '../../../schema/access/access.ts';
import { number, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { logCrossed } from '../authorization/caller-reach.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { Awaitable } from '../../../schema/process/awaitable.ts';
import type { RestrictedStudies } from './restricted-studies.ts';
import { isOfPatient, statedPatient } from '../facts/of-patients.ts';
import type { StatedPatient } from '../sources/source.ts';

/**
 * Studies that a source does not have while another has them, by source and UID. The source is then not asked for each
 * of their frames. Kept no longer than a study's owner.
 */
export type AbsentStudies = LRUCache<string, true>;

/** Number of instances that each source last reported for a study, by source and UID. */
export type StudyCounts = LRUCache<string, number>;

export interface SeveralStudiesOptions {
  tenant: Tenant;
  access: Access;
  absentStudies: AbsentStudies;
  counts: StudyCounts;
  log: Pick<FastifyBaseLogger, 'warn' | 'error'>;
}

/** A source that has a study which the caller may see. */
export interface Holder {
  source: RestrictedStudies;
  /** Number of instances that the row states; 0 if it states none. */
  size: number;
  /** Patient that the row states; undefined if the row was not read. */
  patient?: StatedPatient;
}

export interface Answer<T> {
  source: RestrictedStudies;
  answer?: T;
  fault?: Fault;
}

type Delay = 'lookupUntil' | 'retrieveUntil';

/** Finds which sources of a tenant have a study, for one request (DW-18, DW-27). */
export class StudyHolders {
  /** Faults of sources that did not answer for studies that others have. */
  readonly unanswered = new Set<Fault>();
  readonly #sources: readonly RestrictedStudies[];
  readonly #options: SeveralStudiesOptions;

  constructor(sources: readonly RestrictedStudies[], options: SeveralStudiesOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /**
   * Returns the sources that have a study: those with most instances first, then in the order of the tenant. Never
   * empty. Each source checks again what it then gives.
   * @throws Fault `not_found` if none has it for this caller, or one has it of another patient: no caller gets a UID of
   *   two patients (IA-24); the fault of a source, if no other source could answer for it; `unavailable` if a source
   *   that failed had more of the study than the others have
   */
  async of(studyUid: string, interaction: 'r' | 's', delay: Delay): Promise<readonly [Holder, ...Holder[]]> {
    const [only, ...others] = this.#sources;
    // The only source makes the same checks with the same refusals when it gives the study.
    if (only && others.length === 0) return [{ source: only, size: 0 }];
    const claims = await this.#claims(studyUid, interaction, delay);
    const having = claims.flatMap(({ source, answer }) =>
      typeof answer === 'object' ? [{ source, size: sizeOf(answer), patient: statedPatient(answer) }] : [],
    );
    const says = (word: string) => claims.some(({ answer }) => answer === word);
    const mixed = having.length > 0 && says('foreign');
    if (mixed) logCrossed(this.#options, studyUid);
    const [first, ...rest] = having.sort((a, b) => b.size - a.size);
    if (!first || mixed || says('withheld')) {
      throw claims.find(({ fault }) => fault)?.fault ?? noSuchObject();
    }
    for (const { source, answer, fault } of claims) {
      if (fault) this.#missed(source, studyUid, fault, first.size);
      // A study that only this caller's scopes leave out is there for other callers.
      else if (answer === 'absent' || answer === undefined)
        this.#options.absentStudies.set(placeOf(source, studyUid), true);
    }
    return [first, ...rest];
  }

  /** Remembers the size of a study that a source reports. */
  note(source: RestrictedStudies, studyUid: string, size: number): void {
    if (this.#sources.length > 1) this.#options.counts.set(placeOf(source, studyUid), size);
  }

  /** Returns the largest number of instances that any of these sources had of a study; 0 if none has reported one. */
  mostSeen(sources: readonly RestrictedStudies[], studyUid: string): number {
    return Math.max(0, ...sources.map((source) => this.#options.counts.get(placeOf(source, studyUid)) ?? 0));
  }

  async #claims(studyUid: string, interaction: 'r' | 's', delay: Delay) {
    const { absentStudies: elsewhere } = this.#options;
    const likely = this.#sources.filter((source) => !elsewhere.has(placeOf(source, studyUid)));
    // A source is skipped only if the others are remembered to have the study for this caller: before a refusal all are
    // asked (IA-7).
    const known = await askEach(likely, (source) => source.lookup.remembered(studyUid, interaction));
    const passes = likely.length > 0 && known.every(({ answer }) => answer !== undefined);
    const asked = passes ? likely : this.#sources;
    const claims = await askEach(asked, (source) => source.lookup.find(studyUid, interaction, delay));
    for (const { source, answer } of claims) {
      // A study that this caller may not have says nothing about its size for others.
      if (typeof answer === 'object') this.note(source, studyUid, sizeOf(answer));
      else if (answer === 'absent') this.note(source, studyUid, 0);
    }
    return claims;
  }

  /**
   * Reports a source that failed.
   * @throws Fault `unavailable` if it had more of the study than the others have
   */
  #missed(source: RestrictedStudies, studyUid: string, fault: Fault, size: number): void {
    // A PatientID that is out of reach in one source may be the caller's in another.
    if (fault.code === 'forbidden') return;
    const { tenant, log } = this.#options;
    logFault(log, fault, { tenant: tenant.key, studyUid }, 'an image source did not answer');
    if (this.mostSeen([source], studyUid) > size) {
      const message = 'The source that has most of this study does not answer; ask again later.';
      const { retryAfter = 5 } = fault.details;
      throw new Fault('unavailable', message, { service: 'imaging', retryAfter, cause: fault });
    }
    this.unanswered.add(fault);
  }
}

/**
 * Returns whether two sources have copies of one study: equally many instances, of one patient. Sources that do not
 * report a number have no copies.
 */
export function areCopies(one: Holder, other: Holder, { patients }: Access): boolean {
  if (one.size === 0 || one.size !== other.size) return false;
  // The patient may have a different PatientID in each source.
  if (patients !== 'all' && patients.length === 1) return true;
  if (!one.patient || !other.patient) return false;
  return isOfPatient(one.patient, other.patient) || isOfPatient(other.patient, one.patient);
}

/** Asks every source; returns the answer or the fault of each. */
export function askEach<T>(
  sources: readonly RestrictedStudies[],
  ask: (source: RestrictedStudies) => Awaitable<T>,
): Promise<Answer<T>[]> {
  return Promise.all(
    sources.map(async (source) => {
      try {
        return { source, answer: await ask(source) };
      } catch (error) {
        return { source, fault: toFault(error) };
      }
    }),
  );
}

/** Returns the number of instances that a study's row states; 0 if it states none. */
export function sizeOf(study: DicomJson): number {
  return number(study, Tag.NumberOfStudyRelatedInstances) ?? 0;
}

function placeOf({ key }: RestrictedStudies, studyUid: string): string {
  return `${key}\n${studyUid}`;
}
