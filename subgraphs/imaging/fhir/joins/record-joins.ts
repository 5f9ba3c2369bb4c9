import type { Resource } from 'fhir/r4.js';
import type { Access } from '../../../../schema/access/access.ts';
import type { RecordOperation } from '../../../../schema/access/audit.ts';
import type { Fault } from '../../../../schema/fault/fault.ts';
import type { StudyKeys, StudyLinks } from '../../../../schema/fhir/study-match.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';

/** For whom the record is asked. */
export interface RecordCaller {
  tenant: Tenant;
  access: Access;
  audit?: RecordOperation | undefined;
}

/** A search of the record: `basedon.status=active` is ServiceRequest by `status`. */
export interface RecordSearch {
  type: string;
  /** `_has`: the search parameter of the type that has to lead to the study. */
  code?: string;
  /** Search parameter, also chained; `_id` for resources that are named. */
  name: string;
  /** Alternatives, with FHIR's escapes. */
  value: string;
}

/** A resource type that `_include` or `_revinclude` adds to studies. */
export interface RecordInclude {
  /** With `names`: ImagingStudy. */
  type: string;
  /** `_revinclude`: the search parameter of the type that has to lead to the study. */
  code?: string;
  /** `_include` of what the studies themselves name. */
  names?: {
    /** The type of what is included. */
    type: string;
    /** References of the studies of the page, also to other types. */
    references: readonly string[];
  };
}

/**
 * Questions of study searches to the record, within the caller's rights there: with scopes and reach of a search of the
 * record itself. The composition root supplies it.
 */
export interface RecordJoins {
  /**
   * Returns the links of the resources that a search finds; of patients only who they are.
   * @param patients logical ids; only resources of these are wanted; undefined: all in reach
   * @throws Fault like a strict search of the record; `too_large` for too many
   */
  linked(
    caller: RecordCaller,
    search: RecordSearch,
    patients?: readonly string[],
  ): Promise<readonly StudyLinks[]>;
  /**
   * Returns the resources that belong to studies, each once, and why some are missing: a type that the caller may not see
   * or that the record does not give, or too many.
   */
  included(
    caller: RecordCaller,
    studies: readonly StudyKeys[],
    wanted: readonly RecordInclude[],
  ): Promise<{ resources: readonly Resource[]; missing: readonly { of: RecordInclude; fault: Fault }[] }>;
}
