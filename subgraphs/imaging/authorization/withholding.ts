import type { Dispatcher } from 'undici';
import type { Access } from '../../../schema/access/access.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { askDecisionService } from './decision-service.ts';
import type { Directory } from './directory.ts';
import { byStudy } from '../facts/study-rows.ts';
import type { AskDecision, DecisionCache } from './decision-cache.ts';

/** What a study is judged by. */
interface StudyFacts {
  studyUid: string;
  modalities: string[];
  /** BodyPartExamined of its series, in capitals (PS3.16 Annex L). */
  bodyParts: string[];
  /** What its images say of their confidentiality. */
  confidentiality: string[];
}

/** Series-level rows of studies, with the attributes that `includeField` names. */
type SeriesOf = (studyUids: readonly string[]) => Promise<readonly DicomJson[]>;

const CONFIDENTIALITY = [Tag.ConfidentialityCode, Tag.ConfidentialityConstraintOnPatientDataDescription];

export interface WithholdingOptions {
  tenant: Tenant;
  access: Access;
  decisions: DecisionCache;
  directory: Directory;
  /** Connections to decision services; dynamic tenants get guarded ones (SM-15). */
  dispatcher?: ((tenant: Tenant) => Dispatcher | undefined) | undefined;
}

/**
 * Which studies the tenant withholds from this caller, though they are of a patient in reach (IA-31,
 * `authorization.withhold`). What cannot be judged is withheld.
 */
export class Withholding {
  readonly #options: WithholdingOptions;
  readonly #source: string;
  readonly #seriesOf: SeriesOf;
  readonly #rules: Tenant['authorization']['withhold'];

  /** @param source names what the series are of */
  constructor(options: WithholdingOptions, source: string, seriesOf: SeriesOf) {
    this.#options = options;
    this.#source = source;
    this.#seriesOf = seriesOf;
    const asPatient = mayBePatient(options.access);
    this.#rules = options.tenant.authorization.withhold.filter(
      (rule) => 'url' in rule || rule.for !== 'patient' || asPatient,
    );
  }

  /** Whether any study may be withheld from this caller. */
  get applies(): boolean {
    return this.#rules.length > 0;
  }

  /** Attributes of series that are needed besides the usual ones. */
  get includeField(): readonly string[] {
    return this.#rules.some((rule) => !('url' in rule) && rule.security) ? CONFIDENTIALITY : [];
  }

  /**
   * Whether a study is shown, by what is remembered alone; false also where that does not tell.
   * @param series its rows
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
   * Studies that are withheld, by asking all who have a say of all of them, whatever the others said or were asked
   * before: the questions are the same of any UIDs, and tell nothing by the time they take (IA-7).
   * @param series rows by study; none where there is no such study for this caller
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

  /** Asks of all studies, and gives what the answers mean for one that exists: whether the rule withholds it. */
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

  /** Rows of any level without those of studies that are withheld. */
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

  /** Those that a rule withholds: labels are looked for only where all else fits. */
  async #fitting(rule: Rule, studies: readonly StudyFacts[]): Promise<StudyFacts[]> {
    const fit = studies.filter((one) => fits(one, rule));
    const { security } = rule;
    if (!security) return fit;
    const stated = fit.filter(({ confidentiality }) => carries(confidentiality, security));
    const others = fit.filter((one) => !stated.includes(one));
    return [...stated, ...(await this.#decided(rule, others))];
  }

  /** UIDs of those that a rule withholds by their labels; undefined where the record cannot be asked. */
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

  /** UIDs of those that a service withholds; undefined where it does not decide. */
  #told(url: string, studies: readonly StudyFacts[]): Promise<ReadonlySet<string> | undefined> {
    const { tenant, dispatcher } = this.#options;
    const facts = studies.map(({ studyUid, modalities, bodyParts }) => ({ studyUid, modalities, bodyParts }));
    return askDecisionService(url, { ...this.#caller(), studies: facts }, dispatcher?.(tenant));
  }

  /** Those that are withheld by what is remembered, or by asking a service or for labels. */
  #decided(rule: Withhold, studies: readonly StudyFacts[]): Promise<StudyFacts[]> {
    return this.#options.decisions.withheld(this.#question(rule), studies, this.#decider(rule));
  }

  #decider(rule: Withhold): AskDecision<StudyFacts> {
    return (studies) => ('url' in rule ? this.#told(rule.url, studies) : this.#labelled(rule, studies));
  }

  /** Who asks, and what decides. */
  #question(rule: Withhold): unknown {
    const decides = 'url' in rule ? rule.url : { security: rule.security, unlabelled: rule.unlabelled };
    return [decides, this.#caller()];
  }

  #caller() {
    const { client, user, patients } = this.#options.access;
    const ids = patients === 'all' ? 'all' : patients.map(({ id }) => id);
    return { tenant: this.#options.tenant.key, client, user, patients: ids };
  }
}

/** Whether a patient may be asking, or who acts for one: a proxy parent's app may have asked for `user/` scopes. */
function mayBePatient({ permissions, user = '' }: Access): boolean {
  const treats = /(?:^|\/)Practitioner(?:Role)?\/[^/]+$/.test(user);
  return permissions.some(({ level }) => level === 'patient' || (level === 'user' && !treats));
}

type Withhold = Tenant['authorization']['withhold'][number];
type Rule = Exclude<Withhold, { url: string }>;

/** All that a rule names must hold, each by one of its values. */
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
 * Whether one of the labels is one that a rule names. DICOM states a code without its system (HL7 v2 table 0177, or a
 * site's own words).
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
