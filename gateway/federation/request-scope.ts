import type { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import type { Access } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/fault/audit.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { FaultLog } from '../../schema/fault/log-fault.ts';

/**
 * One request, as the federation sees it. Apollo clones the context value, so everything that must be one for the
 * whole request is inside this one object.
 */
export interface RequestScope {
  tenant: Tenant;
  access: Access;
  /** Aborted when the caller has gone, and, with a Fault as its reason, when the time is over (FG-12). */
  signal: AbortSignal;
  log: FaultLog;
  /** What the lists of the answer may still hold (FG-12). */
  budget: AnswerBudget;
  /** Where the cores record what they are asked (IA-30). */
  audit: RecordOperation | undefined;
  /** Whether the caller spoke FHIR's `$graphql`: errors then carry an OperationOutcome (FG-11). */
  fhir: boolean;
  /** The usual form of an introspection that is answered with a prepared answer (FG-24), once that is allowed. */
  introspection?: string;
  /** The subgraphs' per-request cores, opened at first use. */
  cores: Map<string, unknown>;
}

/** The context value of the gateway. */
export interface GatewayContext {
  scope: RequestScope;
}
