import type { FastifyReply, FastifyRequest } from 'fastify';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import type { Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { abortWhenClientLeaves } from '../../../schema/http/client-left.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Limits } from '../document/limits.ts';
import type { TakenOperation } from '../document/asked-operation.ts';
import type { WantedRows } from '../executor/rows.ts';
import type { Explanation } from '../document/explanation.ts';
import type { SentDocument } from './sent-document.ts';
import { RequestEnd } from '../../../schema/process/request-end.ts';
import type { FaultLog } from '../../../schema/fault/log-fault.ts';

/**
 * The state of one request in the federation. Apollo clones the context value, so everything that must exist once per
 * request is inside this one object.
 */
export interface RequestScope {
  /** Undefined in the process of a subgraph, which is asked for a part of the request. */
  request?: FastifyRequest;
  tenant: Tenant;
  access: Access;
  /** Aborted when the caller has gone, or, with a Fault as its reason, when the time limit is over (FG-12). */
  over: RequestEnd;
  /** Begins the time limit, where the state of the request has it. */
  limitTime?: () => void;
  log: FaultLog;
  /** Counts the fields that the lists of the answer may still hold (FG-12). */
  budget: AnswerBudget;
  /** Records the operations of the cores (IA-30). */
  audit: RecordOperation | undefined;
  /** True for a request to FHIR's `$graphql`: errors then carry an OperationOutcome (FG-11). */
  fhir: boolean;
  /** The operation, once it is found valid. */
  operation?: TakenOperation;
  /** The usual form of an introspection that is allowed and has a prepared answer (FG-24). */
  introspection?: string;
  /** The explanation in the answer, if the caller wants one (FG-28). */
  explanation?: Explanation;
  /** The rows of the answer are taken out of it, and written one by one (FG-29). */
  rows?: WantedRows;
  /** The client's own document, where the tenant asks if it is trusted (FG-13); without it, it is not. */
  document?: SentDocument | undefined;
  /** The subgraphs' per-request cores, opened at first use. */
  cores: Map<string, unknown>;
}

/** The context value of the gateway. */
export interface GatewayContext {
  scope: RequestScope;
}

/**
 * Creates the state of a request. Its time limit begins with `limitTime`: an execution that does not wait needs none.
 * @param fhir true at FHIR's own addresses
 */
export function scopeOf(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  limits: Limits,
  fhir: boolean,
): RequestScope {
  const over = new RequestEnd();
  let timer: NodeJS.Timeout | undefined;
  abortWhenClientLeaves(reply, over, { onClose: () => clearTimeout(timer) });
  const scope = newScope(request, limits, over);
  scope.fhir = fhir;
  scope.limitTime = () => void (timer ??= endAfterLimit(over, limits));
  return scope;
}

/** Aborts when the time limit of an execution is over. @returns the timer, for the execution that ends earlier */
export function endAfterLimit(over: RequestEnd, { seconds }: Limits): NodeJS.Timeout {
  const end = () =>
    over.abort(
      new Fault('gateway_timeout', `The request took longer than ${seconds} seconds. Ask for less.`),
    );
  return setTimeout(end, seconds * 1000);
}

/** Creates the state of one execution for a request. */
export function newScope(request: FastifyRequest, limits: Limits, over: RequestEnd): RequestScope {
  const { tenant, access, log, audit } = request;
  const budget = new AnswerBudget(limits.cost);
  // An Access of its own: what is remembered with it ends with the execution.
  const own = copyWith(access, {});
  return { request, tenant, access: own, over, log, budget, audit, fhir: false, cores: new Map() };
}
