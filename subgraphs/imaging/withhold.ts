import type { LRUCache } from 'lru-cache';
import { request, type Dispatcher } from 'undici';
import type { Access } from '../../schema/access.ts';
import { Tag, text, type DicomJson } from '../../schema/dicom.ts';
import type { Tenant } from '../../schema/tenant.ts';
import type { Directory } from './studies.ts';
import { byStudy } from './study-rows.ts';

/** What a study is judged by. */
interface StudyFacts {
  studyUid: string;
  modalities: string[];
  /** BodyPartExamined of its series, in capitals (PS3.16 Annex L). */
  bodyParts: string[];
  /** What its images say of their confidentiality. */
  confidentiality: string[];
}

/** Decisions of services and on labels, `true` for withheld; each kept for `DECISION_SECONDS` at most. */
export type Decisions = LRUCache<string, boolean>;

export const DECISION_SECONDS = 60;
const TIMEOUT_MILLISECONDS = 5000;

/** Series-level rows of studies, with these attributes besides the usual ones. */
type SeriesOf = (
  studyUids: readonly string[],
  includeField: readonly string[],
) => Promise<readonly DicomJson[]>;

const CONFIDENTIALITY = [Tag.ConfidentialityCode, Tag.ConfidentialityConstraintOnPatientDataDescription];

export interface WithholdingOptions {
  tenant: Tenant;
  access: Access;
  decisions: Decisions;
  directory: Directory;
  /** Connections to decision services; dynamic tenants get guarded ones (SM-15). */
  dispatcher?: ((tenant: Tenant) => Dispatcher | undefined) | undefined;
}

/**
 * Which studies the tenant withholds from this caller, though they are of a patient in reach (IA-31,
 * `authorization.withhold`). What cannot be judged is withheld.
 */
export class Withholding {
  private readonly options: WithholdingOptions;
  private readonly seriesOf: SeriesOf;
  private readonly rules: Tenant['authorization']['withhold'];

  constructor(options: WithholdingOptions, seriesOf: SeriesOf) {
    this.options = options;
    this.seriesOf = seriesOf;
    const asPatient = mayBePatient(options.access);
    this.rules = options.tenant.authorization.withhold.filter(
      (rule) => 'url' in rule || rule.for !== 'patient' || asPatient,
    );
  }

  /** Whether any study may be withheld from this caller. */
  get applies(): boolean {
    return this.rules.length > 0;
  }

  /** Rows of any level without those of studies that are withheld. */
  async shown(rows: readonly DicomJson[]): Promise<DicomJson[]> {
    const uid = (row: DicomJson) => text(row, Tag.StudyInstanceUID) ?? '';
    if (!this.applies || rows.length === 0) return [...rows];
    const withheld = await this.among([...new Set(rows.map(uid))]);
    return rows.filter((row) => !withheld.has(uid(row)));
  }

  private async among(studyUids: readonly string[]): Promise<ReadonlySet<string>> {
    const labelled = this.rules.some((rule) => !('url' in rule) && rule.security);
    const series = byStudy(await this.seriesOf(studyUids, labelled ? CONFIDENTIALITY : []));
    const withheld = new Set<string>();
    const studies: StudyFacts[] = [];
    for (const studyUid of studyUids) {
      const rows = series.get(studyUid);
      if (!rows) withheld.add(studyUid);
      else studies.push(factsOf(studyUid, rows));
    }
    for (const rule of this.rules) {
      const left = studies.filter(({ studyUid }) => !withheld.has(studyUid));
      const chosen = 'url' in rule ? await this.decided(rule.url, left) : await this.fitting(rule, left);
      for (const { studyUid } of chosen) withheld.add(studyUid);
    }
    return withheld;
  }

  /** Those that a rule withholds: labels are looked for only where all else fits. */
  private async fitting(rule: Rule, studies: readonly StudyFacts[]): Promise<StudyFacts[]> {
    const fit = studies.filter((one) => fits(one, rule));
    const { security, unlabelled } = rule;
    if (!security) return fit;
    const stated = fit.filter(({ confidentiality }) => carries(confidentiality, security));
    const others = fit.filter((one) => !stated.includes(one));
    const { tenant, access, directory } = this.options;
    const chosen = await this.remembered({ security, unlabelled }, others, async (unknown) => {
      const uids = unknown.map(({ studyUid }) => studyUid);
      const labels = await directory.labels(tenant, access, uids).catch(() => undefined);
      return (
        labels &&
        unknown.flatMap(({ studyUid, confidentiality }) => {
          const known = labels.get(studyUid) ?? (confidentiality.length > 0 ? [] : undefined);
          const withheld = known ? carries(known, security) : unlabelled === 'withhold';
          return withheld ? [studyUid] : [];
        })
      );
    });
    return [...stated, ...chosen];
  }

  /** Those that a service withholds. */
  private decided(url: string, studies: readonly StudyFacts[]): Promise<StudyFacts[]> {
    const told = ({ studyUid, modalities, bodyParts }: StudyFacts) => ({ studyUid, modalities, bodyParts });
    return this.remembered(url, studies, (unknown) =>
      this.asked(url, { ...this.caller(), studies: unknown.map(told) }),
    );
  }

  /** Those that are withheld by what is remembered or asked; all of them, where there is no clear answer. */
  private async remembered(
    question: unknown,
    studies: readonly StudyFacts[],
    ask: (unknown: readonly StudyFacts[]) => Promise<readonly unknown[] | undefined>,
  ): Promise<StudyFacts[]> {
    const { decisions } = this.options;
    const keyOf = ({ studyUid }: StudyFacts) => JSON.stringify([question, this.caller(), studyUid]);
    const unknown = studies.filter((one) => decisions.get(keyOf(one)) === undefined);
    const named = unknown.length > 0 ? await ask(unknown) : [];
    if (!named) return [...studies];
    for (const one of unknown) decisions.set(keyOf(one), named.includes(one.studyUid));
    return studies.filter((one) => decisions.get(keyOf(one)) !== false);
  }

  private caller() {
    const { client, user, patients } = this.options.access;
    const ids = patients === 'all' ? 'all' : patients.map(({ id }) => id);
    return { tenant: this.options.tenant.key, client, user, patients: ids };
  }

  /** `{ "withheld": [UID] }` of a service; undefined for anything else. */
  private async asked(url: string, question: object): Promise<readonly unknown[] | undefined> {
    const { tenant, dispatcher } = this.options;
    const guarded = dispatcher?.(tenant);
    try {
      const { statusCode, body } = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(question),
        signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
        ...(guarded && { dispatcher: guarded }),
      });
      const answer = JSON.parse(await body.text()) as { withheld?: unknown } | null;
      return statusCode === 200 && Array.isArray(answer?.withheld) ? answer.withheld : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Whether a patient may be asking, or who acts for one: a proxy parent's app may have asked for `user/` scopes. */
function mayBePatient({ permissions, user = '' }: Access): boolean {
  const treats = /(?:^|\/)Practitioner(?:Role)?\/[^/]+$/.test(user);
  return permissions.some(({ level }) => level === 'patient' || (level === 'user' && !treats));
}

type Rule = Exclude<Tenant['authorization']['withhold'][number], { url: string }>;

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
