import type { FastifyBaseLogger } from 'fastify';
import type { LRUCache } from 'lru-cache';
import type { Access } from '../../../schema/access/access.ts';
import { number, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { logCrossed } from '../authorization/caller-reach.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { RestrictedStudies } from './restricted-studies.ts';
import { isOfPatient, statedPatient } from '../facts/of-patients.ts';
import type { StatedPatient } from '../sources/source.ts';

/**
 * Studies that one source was found not to have while another had them, by source and UID: it is not asked for each of
 * their frames. Kept no longer than a study's owner.
 */
export type StudyLocations = LRUCache<string, true>;

/** How many instances each source had of a study when it last told, by source and UID. */
export type StudyCounts = LRUCache<string, number>;

export interface SeveralStudiesOptions {
  tenant: Tenant;
  access: Access;
  elsewhere: StudyLocations;
  counts: StudyCounts;
  log: Pick<FastifyBaseLogger, 'warn' | 'error'>;
}

/** A source that has a study of the caller's. */
export interface Holder {
  source: RestrictedStudies;
  /** Instances, as its row tells; 0 where it does not. */
  size: number;
  /** As its row states; undefined where nobody asked. */
  patient?: StatedPatient;
}

export interface Answer<T> {
  source: RestrictedStudies;
  answer?: T;
  fault?: Fault;
}

type Delay = 'lookupUntil' | 'retrieveUntil';

/** Which of a tenant's sources have a study, as one request finds it (DW-18, DW-27). */
export class StudyHolders {
  /** What kept sources from answering for studies that others have. */
  readonly unanswered = new Set<Fault>();
  readonly #sources: readonly RestrictedStudies[];
  readonly #options: SeveralStudiesOptions;

  constructor(sources: readonly RestrictedStudies[], options: SeveralStudiesOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /**
   * The sources that have a study, those with most of it first, then in the order of the tenant; each checks for itself once
   * more what it then gives. Never empty.
   * @throws Fault `not_found` where none has it for this caller, or one has it of somebody else: two patients under one
   * UID are one patient's to nobody (IA-24); what a source failed with, where another could not answer for it;
   * `unavailable` where one that failed had more of the study than the others have
   */
  async of(studyUid: string, interaction: 'r' | 's', delay: Delay): Promise<readonly [Holder, ...Holder[]]> {
    const [only, ...others] = this.#sources;
    // It checks for itself, and with the same words, what it then gives.
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
      // What one caller's scopes leave out is no less there for another.
      else if (answer === 'absent' || answer === undefined)
        this.#options.elsewhere.set(placeOf(source, studyUid), true);
    }
    return [first, ...rest];
  }

  /** Remembers what a source tells of the size of a study. */
  note(source: RestrictedStudies, studyUid: string, size: number): void {
    if (this.#sources.length > 1) this.#options.counts.set(placeOf(source, studyUid), size);
  }

  /** The most instances that any of these sources had of a study; 0 where none has told. */
  mostSeen(sources: readonly RestrictedStudies[], studyUid: string): number {
    return Math.max(0, ...sources.map((source) => this.#options.counts.get(placeOf(source, studyUid)) ?? 0));
  }

  async #claims(studyUid: string, interaction: 'r' | 's', delay: Delay) {
    const { elsewhere } = this.#options;
    const likely = this.#sources.filter((source) => !elsewhere.has(placeOf(source, studyUid)));
    // A source is passed over only where the others are remembered to have it for this caller: a refusal asks all (IA-7).
    const known = await settled(likely, (source) => source.lookup.remembered(studyUid, interaction));
    const passes = likely.length > 0 && known.every(({ answer }) => answer !== undefined);
    const asked = passes ? likely : this.#sources;
    const claims = await settled(asked, (source) => source.lookup.find(studyUid, interaction, delay));
    for (const { source, answer } of claims) {
      // What is not for this caller to have says nothing of how much there is for others.
      if (typeof answer === 'object') this.note(source, studyUid, sizeOf(answer));
      else if (answer === 'absent') this.note(source, studyUid, 0);
    }
    return claims;
  }

  /** @throws Fault `unavailable` where the source that failed had more than the others have */
  #missed(source: RestrictedStudies, studyUid: string, fault: Fault, size: number): void {
    // A PatientID that is nobody's in one source may be the caller's in another.
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
 * Whether two sources have copies of one study: as many instances, of one patient. Of sources that do not tell how much
 * they have, none is known to have as much.
 */
export function areCopies(one: Holder, other: Holder, { patients }: Access): boolean {
  if (one.size === 0 || one.size !== other.size) return false;
  // Its patient may have another PatientID in each.
  if (patients !== 'all' && patients.length === 1) return true;
  if (!one.patient || !other.patient) return false;
  return isOfPatient(one.patient, other.patient) || isOfPatient(other.patient, one.patient);
}

/** What each source answers, or its fault. */
export function settled<T>(
  sources: readonly RestrictedStudies[],
  ask: (source: RestrictedStudies) => Promise<T>,
): Promise<Answer<T>[]> {
  return Promise.all(
    sources.map((source) =>
      ask(source).then(
        (answer) => ({ source, answer }),
        (error: unknown) => ({ source, fault: toFault(error) }),
      ),
    ),
  );
}

/** Instances of a study, as its row tells; 0 where it does not. */
export function sizeOf(study: DicomJson): number {
  return number(study, Tag.NumberOfStudyRelatedInstances) ?? 0;
}

function placeOf({ key }: RestrictedStudies, studyUid: string): string {
  return `${key}\n${studyUid}`;
}
