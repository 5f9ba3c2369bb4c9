import type { LRUCache } from 'lru-cache';
import { request, type Dispatcher } from 'undici';
import type { Access } from '../../schema/access.ts';
import { Tag, text, type DicomJson } from '../../schema/dicom.ts';
import type { Tenant } from '../../schema/tenant.ts';
import { byStudy } from './study-rows.ts';

/** What a study is judged by. */
interface StudyFacts {
  studyUid: string;
  modalities: string[];
  /** BodyPartExamined of its series, in capitals (PS3.16 Annex L). */
  bodyParts: string[];
}

/** Decisions of services, `true` for withheld; each kept for `DECISION_SECONDS` at most. */
export type Decisions = LRUCache<string, boolean>;

export const DECISION_SECONDS = 60;
const TIMEOUT_MILLISECONDS = 5000;

export interface WithholdingOptions {
  tenant: Tenant;
  access: Access;
  decisions: Decisions;
  /** Connections to decision services; dynamic tenants get guarded ones (SM-15). */
  dispatcher?: ((tenant: Tenant) => Dispatcher | undefined) | undefined;
}

/**
 * Which studies the tenant withholds from this caller, though they are of a patient in reach (IA-31,
 * `authorization.withhold`). What cannot be judged is withheld.
 */
export class Withholding {
  private readonly options: WithholdingOptions;
  private readonly seriesOf: (studyUids: readonly string[]) => Promise<readonly DicomJson[]>;
  private readonly rules: Tenant['authorization']['withhold'];

  /** @param seriesOf series-level rows of studies */
  constructor(
    options: WithholdingOptions,
    seriesOf: (studyUids: readonly string[]) => Promise<readonly DicomJson[]>,
  ) {
    this.options = options;
    this.seriesOf = seriesOf;
    const isPatient = options.access.permissions.some(({ level }) => level === 'patient');
    this.rules = options.tenant.authorization.withhold.filter(
      (rule) => 'url' in rule || rule.for !== 'patient' || isPatient,
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
    const series = byStudy(await this.seriesOf(studyUids));
    const withheld = new Set<string>();
    const studies: StudyFacts[] = [];
    for (const studyUid of studyUids) {
      const rows = series.get(studyUid);
      if (!rows) withheld.add(studyUid);
      else studies.push({ studyUid, modalities: values(rows, Tag.Modality), bodyParts: bodyParts(rows) });
    }
    for (const rule of this.rules) {
      const left = studies.filter(({ studyUid }) => !withheld.has(studyUid));
      const chosen =
        'url' in rule ? await this.decided(rule.url, left) : left.filter((one) => fits(one, rule));
      for (const { studyUid } of chosen) withheld.add(studyUid);
    }
    return withheld;
  }

  /** Those that a service withholds; all that it was asked of, where it gives no clear answer. */
  private async decided(url: string, studies: readonly StudyFacts[]): Promise<StudyFacts[]> {
    const { tenant, access, decisions } = this.options;
    const { client, user } = access;
    const patients = access.patients === 'all' ? 'all' : access.patients.map(({ id }) => id);
    const caller = { tenant: tenant.key, client, user, patients };
    const keyOf = ({ studyUid }: StudyFacts) => JSON.stringify([url, caller, studyUid]);
    const unknown = studies.filter((one) => decisions.get(keyOf(one)) === undefined);
    const named = unknown.length > 0 ? await this.asked(url, { ...caller, studies: unknown }) : [];
    if (!named) return [...studies];
    for (const one of unknown) decisions.set(keyOf(one), named.includes(one.studyUid));
    return studies.filter((one) => decisions.get(keyOf(one)) !== false);
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

type Rule = Exclude<Tenant['authorization']['withhold'][number], { url: string }>;

/** All that a rule names must hold, each by one of its values. */
function fits({ studyUid, modalities, bodyParts }: StudyFacts, rule: Rule): boolean {
  return (
    (!rule.studyUid || rule.studyUid.includes(studyUid)) &&
    (!rule.modality || rule.modality.some((code) => modalities.includes(code))) &&
    (!rule.bodyPart || rule.bodyPart.some((part) => bodyParts.includes(part.toUpperCase())))
  );
}

function values(rows: readonly DicomJson[], tag: string): string[] {
  return [...new Set(rows.map((row) => text(row, tag)?.trim()).filter((value) => value !== undefined))];
}

function bodyParts(rows: readonly DicomJson[]): string[] {
  return values(rows, Tag.BodyPartExamined).map((part) => part.toUpperCase());
}
