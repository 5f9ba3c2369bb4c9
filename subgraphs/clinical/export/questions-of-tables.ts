import type { Access, PatientGrant } from '../../../schema/access/access.ts';
import { permitting } from '../../../schema/access/scopes.ts';
import { Fault, type FaultCode } from '../../../schema/fault/fault.ts';
import type { JoinRule } from '../../../schema/fhir/accession-types.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Clinical } from '../record/clinical.ts';
import { membersInReach } from './group-members.ts';
import { recordVersion } from './record-feed.ts';
import { searchedTexts } from './whole-search.ts';

/** The part of a type that granular scopes leave. */
interface Narrowed {
  /** Another text when they find something else. */
  key: string;
  ids(): Promise<readonly string[]>;
}

/** Questions for the tables of analysts: about the whole record of a tenant, and how much of it a caller finds. */
export interface QuestionsOfTables {
  /**
   * Returns the database of a record, and the rules of its joins; undefined for a tenant without.
   * @throws Fault `unavailable` while it is loaded for the first time; `not_implemented` for a FHIR server
   */
  record(tenant: Tenant): Promise<{ file: string; joins: JoinRule } | undefined>;
  /** Returns a text that changes with the record. @throws Fault as `record` */
  recordVersion(tenant: Tenant): Promise<string>;
  /** Returns how a search by the token finds a type; undefined when it is refused. */
  reachOf(tenant: Tenant, access: Access, type: string): Promise<{ granular?: Narrowed } | undefined>;
  /** Gives the texts of all resources of a type that a search by the token finds. @throws Fault as that search */
  searched(tenant: Tenant, asked: Parameters<typeof searchedTexts>[1]): AsyncIterable<readonly string[]>;
  /** Returns the members of a Group whom the caller reaches. @throws Fault as `$export` of the Group */
  members(tenant: Tenant, access: Access, group: string): Promise<PatientGrant[]>;
}

/** Refusals of a search, whatever it looks for. */
const REFUSED: ReadonlySet<FaultCode> = new Set(['insufficient_scope', 'forbidden', 'not_found']);

/** @param fileOf as `Stores.file` */
export function questionsOfTables(
  open: (tenant: Tenant, access: Access, over?: Abortable) => Clinical,
  fileOf: (path: string) => Promise<string>,
): QuestionsOfTables {
  const record: QuestionsOfTables['record'] = async ({ clinical, joins }) => {
    if (clinical.type === 'none') return undefined;
    if (clinical.type === 'store') return { file: await fileOf(clinical.path), joins };
    const message = 'The record of this tenant is at another server, of which no tables are made.';
    throw new Fault('not_implemented', message, { service: 'clinical' });
  };
  const version = async (tenant: Tenant): Promise<string> => {
    const found = await record(tenant);
    return found ? recordVersion(found.file) : '';
  };
  return {
    record,
    recordVersion: version,
    searched: (tenant, asked) =>
      searchedTexts((access) => open(tenant, access, { signal: asked.signal }), asked),
    members: (tenant, access, group) => membersInReach(open(tenant, access), group),
    async reachOf(tenant, access, type) {
      if (permitting(access.permissions, type, 's').length === 0) return undefined;
      if (tenant.clinical.type === 'none') return {};
      try {
        const narrowed = await open(tenant, access).narrowing(type);
        if (!narrowed) return {};
        const key = JSON.stringify([narrowed.searches, await version(tenant)]);
        return { granular: { key, ids: () => narrowed.ids() } };
      } catch (error) {
        if (error instanceof Fault && REFUSED.has(error.code)) return undefined;
        throw error;
      }
    },
  };
}
