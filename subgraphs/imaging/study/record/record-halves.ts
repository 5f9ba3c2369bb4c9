import type { Coding } from 'fhir/r4.js';
import { isSameNumber } from '../../../../schema/fhir/accession-types.ts';
import { grantFor } from '../../../../schema/access/access.ts';
import { Tag, text } from '../../../../schema/dicom/dicom.ts';
import type { DecisionCache } from '../../authorization/decision-cache.ts';
import { mayWithhold, shownOfRecord, type RecordFacts } from '../../authorization/record-withholding.ts';
import type { WithholdingOptions } from '../../authorization/withholding.ts';
import { grouped } from '../../facts/study-rows.ts';
import type { CallerArchive } from '../caller-archive.ts';
import type { StudyRecord } from '../study-records.ts';
import { studyDocument } from '../document/study-document.ts';
import { askEach } from '../study-holders.ts';
import type { Standing } from '../study-decision.ts';
import type { RecordQuestionsOptions } from './record-questions.ts';
import { compareBest, type RecordStudy } from './record-study.ts';
import { bodyPartTerm } from '../document/terminology.ts';

export type RecordHalvesOptions = RecordQuestionsOptions &
  Omit<WithholdingOptions, 'decisions'> & {
    /** Decisions about studies that only the record has. */
    recordDecisions: DecisionCache;
    /** Counts studies for which the record and an archive name different patients. */
    onContradiction?: (() => void) | undefined;
  };

/** The archives' studies to which those of the record are joined. */
export interface ArchiveHalves {
  records: readonly StudyRecord[];
  /** All studies among which an accession number has to be the only one. */
  ofPatient: readonly StudyRecord[];
  /** False when an archive did not answer. */
  isWhole: boolean;
}

export interface Joined {
  /** The record's halves of the archives' studies, by Study Instance UID. */
  joined: ReadonlyMap<string, RecordStudy>;
  /** Studies that only the record has. */
  alone: readonly RecordStudy[];
}

/**
 * Decides for one request which studies of the record and of the archives are the same, and which of the record's are
 * shown alone (IA-34). The archive's refusal counts for the record's half. Halves of different patients are not joined.
 */
export class RecordHalves {
  readonly #sources: readonly CallerArchive[];
  readonly #options: RecordHalvesOptions;
  readonly #contradicting = new Set<string>();

  constructor(sources: readonly CallerArchive[], options: RecordHalvesOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /** @param wanted tells which studies are wanted, if only the record has them */
  async joined(
    { records, ofPatient, isWhole }: ArchiveHalves,
    studies: readonly RecordStudy[],
    wanted: (study: RecordStudy) => boolean,
  ): Promise<Joined> {
    const byUid = new Map(records.map((record) => [uidOf(record), record]));
    const joined = new Map<string, RecordStudy>();
    const left: RecordStudy[] = [];
    for (const study of studies.filter((one) => this.#isGranted(one)).sort(compareBest)) {
      const record = study.uid === undefined ? onlyByAccession(ofPatient, study) : byUid.get(study.uid);
      if (!record) left.push(study);
      else if (!(await this.#isOwner(record, study))) left.push(this.#contradiction(study, true));
      else if (!joined.has(uidOf(record))) joined.set(uidOf(record), study);
    }
    return {
      joined: await this.#withShownSeries(joined),
      alone: await this.#shownAlone(left.filter(wanted), isWhole),
    };
  }

  /**
   * Removes the series of halves that would be withheld without their archive's half (IA-31): the archive's was decided by
   * its own series, and the record may name others.
   */
  async #withShownSeries(joined: ReadonlyMap<string, RecordStudy>): Promise<Map<string, RecordStudy>> {
    const withholding = this.#withholding();
    const naming = mayWithhold(withholding)
      ? [...joined.values()].filter(({ resource }) => resource.series)
      : [];
    if (naming.length === 0) return new Map(joined);
    const shown = await shownOfRecord(
      withholding,
      naming.map((one) => recordFacts([one])),
    );
    return new Map(
      [...joined].map(([uid, study]) => [uid, shown.has(study.id) ? study : withoutSeries(study)]),
    );
  }

  async #shownAlone(studies: readonly RecordStudy[], isWhole: boolean): Promise<RecordStudy[]> {
    if (studies.length === 0) return [];
    const withholding = this.#withholding();
    const { absent, isKnown } = await this.#absent(studies);
    const mayRefuse =
      mayWithhold(withholding) || this.#options.access.permissions.some(({ parameters }) => parameters);
    // What an archive that does not answer might refuse is refused.
    if (mayRefuse && !(isWhole && isKnown)) return [];
    const once = [...grouped(absent, ({ id }) => id).values()];
    const shown = await shownOfRecord(withholding, once.map(recordFacts));
    return once.map(([best]) => best!).filter(({ id }) => shown.has(id));
  }

  /** Leaves out the studies that an archive has for the same patient without showing them. */
  async #absent(studies: readonly RecordStudy[]) {
    // Those with another id are known as contradictions.
    const named = studies.flatMap(({ id, uid, patientId }) =>
      uid !== undefined && uid === id ? [{ uid, patientId }] : [],
    );
    const answers = await askEach(this.#sources, ({ decision }) => decision.standing(named));
    const known = answers.flatMap(({ answer }) => answer ?? []);
    const withheld = new Set(this.#sources.flatMap(({ decision }) => [...decision.withheldAccessions]));
    const absent = studies.flatMap((study): RecordStudy[] => {
      if (study.accessions.some(({ value }) => withheld.has(value!))) return [];
      const says = (standing: Standing) =>
        study.uid === study.id && known.some((one) => one.get(study.id) === standing);
      if (says('hidden')) return [];
      return says('foreign') || says('visible') ? [this.#contradiction(study, says('visible'))] : [study];
    });
    return { absent, isKnown: known.length === this.#sources.length };
  }

  async #isOwner(record: StudyRecord, { patientId }: RecordStudy): Promise<boolean> {
    if (record.patientId !== undefined) return record.patientId === patientId;
    const answers = await askEach(this.#sources, ({ decision }) => decision.isOf(patientId, record.study));
    return answers.every(({ answer }) => answer === true);
  }

  /** Reports a contradiction. Where the caller may see both halves, the record's is shown under its own id. */
  #contradiction(study: RecordStudy, isVisible: boolean): RecordStudy {
    const { tenant, log, onContradiction } = this.#options;
    if (!this.#contradicting.has(study.recordId)) {
      this.#contradicting.add(study.recordId);
      log.warn(
        { tenant: tenant.key, studyUid: study.uid },
        'not joined: the record and an archive name different patients for this study',
      );
      onContradiction?.();
    }
    return isVisible ? { ...study, id: study.recordId } : study;
  }

  /** A grant may be limited to some studies of its patient (IA-8). */
  #isGranted({ patientId, uid }: RecordStudy): boolean {
    const grant = grantFor(this.#options.access, patientId);
    return grant !== undefined && (!grant.studies || (uid !== undefined && grant.studies.includes(uid)));
  }

  #withholding(): WithholdingOptions {
    const { recordDecisions: decisions, ...options } = this.#options;
    return { ...options, decisions };
  }
}

function withoutSeries(study: RecordStudy): RecordStudy {
  const { series: _, ...resource } = study.resource;
  return { ...study, resource };
}

export const uidOf = ({ study }: StudyRecord): string => text(study, Tag.StudyInstanceUID) ?? '';

/** Returns the only study of the patient that has an accession number of the record's study. */
function onlyByAccession(records: readonly StudyRecord[], own: RecordStudy): StudyRecord | undefined {
  if (own.accessions.length === 0) return undefined;
  const found = records.filter(
    (record) =>
      (record.patientId === undefined || record.patientId === own.patientId) &&
      studyDocument(record).accessions.some((one) =>
        own.accessions.some((other) => isSameNumber(one, other)),
      ),
  );
  return found.length === 1 ? found[0] : undefined;
}

/**
 * Returns the facts by which it is decided whether a study of the record is withheld.
 * @param halves all resources that the record has of one study
 */
function recordFacts(halves: readonly RecordStudy[]): RecordFacts {
  const resources = halves.map(({ resource }) => resource);
  const series = resources.flatMap((resource) => resource.series ?? []);
  const labels = resources.flatMap(({ meta }) => meta?.security ?? []);
  return {
    id: halves[0]!.id,
    modalities: all(
      [
        ...resources.flatMap(({ modality }) => modality ?? []),
        ...series.flatMap(({ modality }) => modality ?? []),
      ],
      ({ code }) => code?.toUpperCase(),
    ),
    bodyParts: all(
      series.flatMap(({ bodySite }) => bodySite ?? []),
      bodyPartTerm,
    ),
    labels: labels.length === 0 ? [] : all(labels, ({ system = '', code }) => code && `${system}|${code}`),
  };
}

/** Returns the value of each coding; undefined when there is no coding, or one without a value. */
function all(
  codings: readonly Coding[],
  valueOf: (coding: Coding) => string | undefined,
): string[] | undefined {
  const values = codings.map(valueOf).filter((value) => value !== undefined && value !== '');
  return values.length > 0 && values.length === codings.length ? (values as string[]) : undefined;
}
