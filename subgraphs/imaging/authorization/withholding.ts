import type { ChooseDispatcher } from '../../../schema/outbound/choose-dispatcher.ts';
import type { Access } from '../../../schema/access/access.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { askDecisionService } from './decision-service.ts';
import type { PatientDirectory } from './patient-directory.ts';
import { byStudy } from '../facts/study-rows.ts';
import type { AskDecision, DecisionCache } from './decision-cache.ts';

/** The facts of a study that rules are compared with. */
interface StudyFacts {
  studyUid: string;
  modalities: string[];
  /** BodyPartExamined of its series, in capitals (PS3.16 Annex L). */
  bodyParts: string[];
  /** Confidentiality codes in its images. */
  confidentiality: string[];
}

/** Series-level rows of studies, with the attributes that `includeField` names. */
type SeriesOf = (studyUids: readonly string[]) => Promise<readonly DicomJson[]>;

const CONFIDENTIALITY = [Tag.ConfidentialityCode, Tag.ConfidentialityConstraintOnPatientDataDescription];

export interface WithholdingOptions {
  tenant: Tenant;
  access: Access;
  decisions: DecisionCache;
  directory: PatientDirectory;
  /** Connections to decision services. Dynamic tenants get guarded ones (SM-15). */
  dispatcher?: ChooseDispatcher | undefined;
}

/**
 * Decides which studies of a patient in reach the tenant withholds from this caller (IA-31, `authorization.withhold`).
 * A study that cannot be decided is withheld.
 */
export class Withholding {
  readonly #options: WithholdingOptions;
  readonly #source: string;
  readonly #seriesOf: SeriesOf;
  readonly #rules: Tenant['authorization']['withhold'];

  /** @param source key of the source of the series */
  constructor(options: WithholdingOptions, source: string, seriesOf: SeriesOf) {
    this.#options = options;
    this.#source = source;
    this.#seriesOf = seriesOf;
    const asPatient = mayBePatient(options.access);
    this.#rules = options.tenant.authorization.withhold.filter(
      (rule) => 'url' in rule || rule.for !== 'patient' || asPatient,
    );
  }

  /** True if a study may be withheld from this caller. */
  get applies(): boolean {
    return this.#rules.length > 0;
  }

  /** Attributes of series that the rules need besides the usual ones. */
  get includeField(): readonly string[] {
    return this.#rules.some((rule) => !('url' in rule) && rule.security) ? CONFIDENTIALITY : [];
  }

  /**
   * Tells whether a study is shown, from remembered decisions only; false also when they do not decide.
   * @param series rows of the study
   */
  isShownByMemory(studyUid: string, series: readonly DicomJson[]): boolean {
    if (!this.applies) return true;
    if (series.length === 0) return false;
    const study = factsOf(studyUid, series);
    const known = (rule: Withhold) => this.#options.decisions.isShown(this.#question(rule), studyUid);
    return this.#rules.every((rule) => {
      if ('url' in rule) return known(rule);
      if (!fits(study, rule)) return true;
      return rule.security && !carries(study.confidentiality, rule.security) && known(rule);
    });
  }

  /**
   * Returns the UIDs of withheld studies. Asks every service and for all labels of all studies, also when the answer is
   * known: the questions are the same for any UID, so that their time shows nothing (IA-7).
   * @param series rows by study; empty when this caller has no such study
   */
  async withheldAnew(series: ReadonlyMap<string, readonly DicomJson[]>): Promise<ReadonlySet<string>> {
    const studies = [...series].map(([studyUid, rows]) => factsOf(studyUid, rows));
    const exists = ({ studyUid }: StudyFacts) => series.get(studyUid)!.length > 0;
    const withheld = new Set<string>(studies.filter((one) => !exists(one)).map(({ studyUid }) => studyUid));
    for (const rule of this.#rules) {
      const chosen = await this.#chosenAnew(rule, studies);
      for (const one of studies.filter(exists)) {
        if (chosen(one)) withheld.add(one.studyUid);
      }
    }
    return withheld;
  }

  /** Asks about all studies, and returns a test of whether the rule withholds a study that exists. */
  async #chosenAnew(rule: Withhold, studies: readonly StudyFacts[]) {
    const { decisions } = this.#options;
    const question = this.#question(rule);
    const asked = 'url' in rule || rule.security !== undefined;
    const named = asked
      ? await decisions.ask(question, studies, this.#decider(rule), this.#source)
      : undefined;
    const learnt = ({ studyUid }: StudyFacts): boolean => {
      if (named) decisions.remember(question, studyUid, named.has(studyUid));
      return named?.has(studyUid) ?? true;
    };
    if ('url' in rule) return learnt;
    const { security } = rule;
    return (one: StudyFacts): boolean =>
      fits(one, rule) && (!security || carries(one.confidentiality, security) || learnt(one));
  }

  /** Returns rows of any level without those of withheld studies. */
  async shown(rows: readonly DicomJson[]): Promise<DicomJson[]> {
    const uid = (row: DicomJson) => text(row, Tag.StudyInstanceUID) ?? '';
    if (!this.applies || rows.length === 0) return [...rows];
    const withheld = await this.#among([...new Set(rows.map(uid))]);
    return rows.filter((row) => !withheld.has(uid(row)));
  }

  async #among(studyUids: readonly string[]): Promise<ReadonlySet<string>> {
    const series = byStudy(await this.#seriesOf(studyUids));
    const withheld = new Set<string>();
    const studies: StudyFacts[] = [];
    for (const studyUid of studyUids) {
      const rows = series.get(studyUid);
      if (!rows) withheld.add(studyUid);
      else studies.push(factsOf(studyUid, rows));
    }
    for (const rule of this.#rules) {
      const left = studies.filter(({ studyUid }) => !withheld.has(studyUid));
      const chosen = 'url' in rule ? await this.#decided(rule, left) : await this.#fitting(rule, left);
      for (const { studyUid } of chosen) withheld.add(studyUid);
    }
    return withheld;
  }

  /** Returns the studies that a rule withholds. Reads labels only of studies that match the rest of the rule. */
  async #fitting(rule: Rule, studies: readonly StudyFacts[]): Promise<StudyFacts[]> {
    const fit = studies.filter((one) => fits(one, rule));
    const { security } = rule;
    if (!security) return fit;
    const stated = fit.filter(({ confidentiality }) => carries(confidentiality, security));
    const others = fit.filter((one) => !stated.includes(one));
    return [...stated, ...(await this.#decided(rule, others))];
  }

  /** Returns UIDs of studies that a rule withholds by their labels; undefined when the record cannot be asked. */
  async #labelled(
    { security = [], unlabelled }: Rule,
    studies: readonly StudyFacts[],
  ): Promise<ReadonlySet<string> | undefined> {
    const { tenant, access, directory } = this.#options;
    const uids = studies.map(({ studyUid }) => studyUid);
    const labels = await directory.labels(tenant, access, uids).catch(() => undefined);
    if (!labels) return undefined;
    const isWithheld = ({ studyUid, confidentiality }: StudyFacts) => {
      const known = labels.get(studyUid) ?? (confidentiality.length > 0 ? [] : undefined);
      return known ? carries(known, security) : unlabelled === 'withhold';
    };
    return new Set(studies.filter(isWithheld).map(({ studyUid }) => studyUid));
  }

  /** Returns UIDs of studies that a service withholds; undefined when it does not decide. */
  #askService(url: string, studies: readonly StudyFacts[]): Promise<ReadonlySet<string> | undefined> {
    const { tenant, dispatcher } = this.#options;
    const facts = studies.map(({ studyUid, modalities, bodyParts }) => ({ studyUid, modalities, bodyParts }));
    return askDecisionService(
      url,
      { ...this.#caller(), studies: facts },
      dispatcher?.(tenant, tenant.authorization.tls),
    );
  }

  /** Returns the withheld studies, from remembered decisions, or from a service or labels. */
  #decided(rule: Withhold, studies: readonly StudyFacts[]): Promise<StudyFacts[]> {
    return this.#options.decisions.withheld(this.#question(rule), studies, this.#decider(rule));
  }

  #decider(rule: Withhold): AskDecision<StudyFacts> {
    return (studies) => ('url' in rule ? this.#askService(rule.url, studies) : this.#labelled(rule, studies));
  }

  /** Names the caller and what decides. */
  #question(rule: Withhold): unknown {
    const decides = 'url' in rule ? rule.url : { security: rule.security, unlabelled: rule.unlabelled };
    return [this.#options.tenant.cacheKey, decides, this.#caller()];
  }

  #caller() {
    const { client, user, patients } = this.#options.access;
    const ids = patients === 'all' ? 'all' : patients.map(({ id }) => id);
    return { tenant: this.#options.tenant.key, client, user, patients: ids };
  }
}

/** Tells whether the caller may be a patient, or act for one: the app of a parent may have `user/` scopes. */
function mayBePatient({ permissions, user = '' }: Access): boolean {
  const treats = /(?:^|\/)Practitioner(?:Role)?\/[^/]+$/.test(user);
  return permissions.some(({ level }) => level === 'patient' || (level === 'user' && !treats));
}

type Withhold = Tenant['authorization']['withhold'][number];
type Rule = Exclude<Withhold, { url: string }>;

/** Tells whether a study matches every condition of a rule, each by one of its values. */
function fits({ studyUid, modalities, bodyParts }: StudyFacts, rule: Rule): boolean {
  return (
    (!rule.studyUid || rule.studyUid.includes(studyUid)) &&
    (!rule.modality || rule.modality.some((code) => modalities.includes(code))) &&
    (!rule.bodyPart || rule.bodyPart.some((part) => bodyParts.includes(part.toUpperCase())))
  );
}

function factsOf(studyUid: string, rows: readonly DicomJson[]): StudyFacts {
  return {
    studyUid,
    modalities: values(rows, Tag.Modality),
    bodyParts: values(rows, Tag.BodyPartExamined).map((part) => part.toUpperCase()),
    confidentiality: CONFIDENTIALITY.flatMap((tag) => values(rows, tag)).filter(Boolean),
  };
}

/**
 * Tells whether a rule names one of the labels. DICOM gives a code without its system (HL7 v2 table 0177, or codes of
 * the site).
 */
function carries(labels: readonly string[], named: readonly string[]): boolean {
  return labels.some((label) => {
    const code = label.slice(label.lastIndexOf('|') + 1).toUpperCase();
    return named.some((name) => (name.includes('|') ? name === label : name.toUpperCase() === code));
  });
}

function values(rows: readonly DicomJson[], tag: string): string[] {
  return [...new Set(rows.map((row) => text(row, tag)?.trim()).filter((value) => value !== undefined))];
}
