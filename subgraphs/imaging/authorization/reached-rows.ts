import { copyWith } from '../../../schema/process/copy-with.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { mapInTurns } from '../../../schema/process/event-loop.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Rows } from '../cache/study-cache.ts';
import type { CallerReach } from './caller-reach.ts';
import type { Reach } from './ownership.ts';
import { statedIdentifier, unpadded, type PatientKey } from '../facts/identifiers.ts';
import { keysFor, requireOwn } from './patient-keys.ts';
import { isOfPatients } from '../facts/stated-patient.ts';
import type { SourceQuery } from '../sources/source.ts';
import { chunked } from '../facts/study-rows.ts';
import type { TenantSource } from '../cache/tenant-source.ts';
import { wildcards } from '../dicom/wildcards.ts';

/** Number of accession numbers asked of a source at a time. A patient may have hundreds. */
const ASKED_AT_ONCE = 16;

/** A search before it is restricted to PatientIDs. */
export type UnrestrictedQuery = Omit<SourceQuery, 'patientIds'>;

/** Lists whose rows all belong to one patient, with that patient and the configuration it was decided for. */
const authorized = new WeakMap<Rows, { config: ImagesConfig; patient: string }>();

/** Returns the facts that decide which rows are a patient's; undefined unless it is one patient with all studies. */
function patientKey(reaches: readonly Reach[] | undefined): string | undefined {
  const [reach, ...others] = reaches ?? [];
  if (reach?.by !== 'mrn' || others.length > 0 || reach.grant.studies) return undefined;
  return reach.patient;
}

/**
 * Finds rows of one source within a caller's reach. It asks by the key that the source finds patients by (DW-19), and
 * checks every row again (DW-21).
 */
export class ReachedRows {
  readonly #source: TenantSource;
  readonly #caller: CallerReach;

  constructor(source: TenantSource, caller: CallerReach) {
    this.#source = source;
    this.#caller = caller;
  }

  /**
   * Returns the rows that the caller reaches.
   * @param reaches undefined for all studies
   * @param named PatientIDs that the request names, which may have wildcards
   * @param anew true to ask the source and use no kept answer
   * @throws Fault `forbidden` when the request names a PatientID that is not the caller's (IA-7)
   */
  find(
    reaches: readonly Reach[] | undefined,
    query: UnrestrictedQuery,
    { named = [], anew = false }: { named?: readonly string[] | undefined; anew?: boolean } = {},
  ): Awaitable<Rows> {
    if (reaches?.some(({ by }) => by === 'accession')) return this.#byAccession(reaches, query, named);
    const keys = keysFor(reaches, named, this.#source.config);
    const pattern = keys === 'pattern' ? wildcards(named) : undefined;
    const asked = Array.isArray(keys)
      ? copyWith(query, { patientIds: keys as readonly PatientKey[] })
      : query;
    return andThen(anew ? this.#source.askFresh(asked) : this.#source.ask(asked), (found) =>
      andThen(this.#own(found, reaches), (rows) =>
        pattern ? rows.filter((row) => pattern.test(statedIdentifier(row, Tag.PatientID))) : rows,
      ),
    );
  }

  /** Asks for the rows of several patients at once; `find` then knows them. */
  async prefetch(patients: readonly (readonly Reach[])[], query: UnrestrictedQuery): Promise<void> {
    const queries = patients.flatMap((reaches): SourceQuery[] => {
      if (reaches.some(({ by }) => by !== 'mrn')) return [];
      const patientIds = keysFor(reaches, undefined, this.#source.config);
      return Array.isArray(patientIds) ? [{ ...query, patientIds: patientIds as readonly PatientKey[] }] : [];
    });
    const join = (asked: readonly SourceQuery[]): SourceQuery => ({
      ...query,
      patientIds: asked.flatMap(({ patientIds = [] }) => patientIds),
    });
    await this.#source.askTogether(queries, join, (row, { patientIds }) => isOfPatients(row, patientIds));
  }

  /** Returns the rows within reach: the same list if all are, which is decided once for a list and a patient. */
  #own(rows: Rows, reaches: readonly Reach[] | undefined): Awaitable<Rows> {
    // The same list then is the key of what was made from it.
    if (!reaches || reaches.some(({ by, grant }) => by === 'server' && !grant.studies)) return rows;
    const patient = patientKey(reaches);
    if (patient === undefined) return this.#reached(rows, reaches);
    const { config } = this.#source;
    const known = authorized.get(rows);
    if (known?.config === config && known.patient === patient) return rows;
    return andThen(this.#reached(rows, reaches), (own) => {
      if (own.length < rows.length) return own;
      authorized.set(rows, { config, patient });
      return rows;
    });
  }

  #reached(rows: Rows, reaches: readonly Reach[]): Awaitable<Rows> {
    return andThen(
      mapInTurns(rows, (row) => this.#caller.includes(reaches, row)),
      (isReached) => rows.filter((_, index) => isReached[index]),
    );
  }

  /**
   * Tells whether the source can be asked for a page, because none of its rows are removed here.
   * @throws Fault `forbidden` when the request names a PatientID that is known not to be the caller's (IA-7)
   */
  canPage(reaches: readonly Reach[] | undefined, named: readonly string[] = []): boolean {
    const byAccession = reaches?.some(({ by }) => by === 'accession') ?? false;
    return !byAccession && keysFor(reaches, named, this.#source.config) !== 'pattern';
  }

  /** Finds the studies of the accession numbers first, then searches within them. */
  async #byAccession(
    reaches: readonly Reach[],
    query: UnrestrictedQuery,
    named: readonly string[],
  ): Promise<DicomJson[]> {
    const { level, match, includeField, studyUid } = query;
    const all = await this.#studiesByAccession(reaches, level === 'study' ? includeField : []);
    const patientOf = (row: DicomJson) => statedIdentifier(row, Tag.PatientID);
    requireOwn(named.map(unpadded), all.map(patientOf));
    const studies = all.filter((row) => named.length === 0 || named.map(unpadded).includes(patientOf(row)));
    if (level === 'study' && match.size === 0) return studies;

    const wanted = match.get(Tag.StudyInstanceUID);
    const uids = studies
      .map((row) => text(row, Tag.StudyInstanceUID)!)
      .filter((uid) => (!wanted || wanted.includes(uid)) && (studyUid === undefined || studyUid === uid));
    const answers = await Promise.all(
      chunked(uids).map((some) =>
        this.#source.ask({
          ...query,
          match: studyUid === undefined ? new Map([...match, [Tag.StudyInstanceUID, some]]) : match,
        }),
      ),
    );
    const within = new Set(uids);
    return answers
      .flat()
      .filter((row) =>
        level === 'study'
          ? this.#caller.includes(reaches, row)
          : within.has(text(row, Tag.StudyInstanceUID) ?? studyUid ?? ''),
      );
  }

  async #studiesByAccession(
    reaches: readonly Reach[],
    includeField: UnrestrictedQuery['includeField'],
  ): Promise<DicomJson[]> {
    const numbers = new Set(reaches.flatMap((reach) => (reach.by === 'accession' ? reach.numbers : [])));
    const ask = async (number: string): Promise<DicomJson[]> => {
      const match = new Map([[Tag.AccessionNumber as string, [number]]]);
      const rows = await this.#source.ask({ level: 'study', match, includeField });
      // A server that ignores case also gives studies whose number is spelt differently.
      return rows.filter((row) => statedIdentifier(row, Tag.AccessionNumber) === number);
    };
    const found: DicomJson[] = [];
    for (const some of chunked([...numbers], ASKED_AT_ONCE)) {
      found.push(...(await Promise.all(some.map(ask))).flat());
    }
    return found.filter((row) => this.#caller.includes(reaches, row));
  }
}
