import { Fault } from '../../../schema/fault/fault.ts';
import type { SourceCall } from '../../../schema/access/source-calls.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Limits } from './limits.ts';
import type { AskedOperation } from './asked-operation.ts';
import { operationCost } from './operation-cost.ts';

/** `cost`: the cost alone, nothing is executed. `run`: beside the data. */
type Mode = 'cost' | 'run';

/** The explanation of one request (FG-28). */
export interface Explanation {
  mode: Mode;
  cost: OperationCost;
  /** When the operation was found valid, by `performance.now()`. */
  began: number;
  /** Undefined until it is executed. */
  plan?: { kind: 'direct' | 'planned'; text: string };
  calls: SourceCall[];
}

/** The cost of an operation against the limits of the gateway. */
interface OperationCost {
  cost: number;
  limit: number;
  depth: number;
  depthLimit: number;
  /** The most expensive fields: the cost of each holds that of the fields in it. */
  fields: { path: string; cost: number }[];
}

/** Fields in the list of the most expensive ones. */
const MOST_FIELDS = 10;
/** Calls that are told one by one. */
const MOST_CALLS = 500;

/**
 * Returns the mode that `extensions.explain` of a request names; undefined without it.
 * @throws Fault `invalid_request` for another value, and where the tenant does not allow it
 */
export function explainMode(extensions: unknown, { graphql }: Tenant): Mode | undefined {
  const { explain } = (extensions ?? {}) as { explain?: unknown };
  if (explain === undefined || explain === null) return undefined;
  if (!graphql.explain) {
    const message = 'This tenant does not explain requests: its setting graphql.explain is off.';
    throw new Fault('invalid_request', message);
  }
  if (explain !== 'cost' && explain !== 'run')
    throw new Fault('invalid_request', 'extensions.explain must be "cost" or "run".');
  return explain;
}

/** Begins the explanation of a valid operation with its cost, by the rule that limits it. */
export function beginExplanation(mode: Mode, asked: AskedOperation, limits: Limits): Explanation {
  const parts = new Map<string, number>();
  let depth = 0;
  const cost = operationCost(asked, (path, part, { selectionSet }) => {
    depth = Math.max(depth, path.length);
    const name = path.join('.');
    if (selectionSet) parts.set(name, (parts.get(name) ?? 0) + part);
  });
  const fields = [...parts]
    .map(([path, cost]) => ({ path, cost }))
    .sort((a, b) => b.cost - a.cost)
    .slice(0, MOST_FIELDS);
  const { cost: limit, depth: depthLimit } = limits;
  return { mode, cost: { cost, limit, depth, depthLimit, fields }, began: performance.now(), calls: [] };
}

/**
 * Writes the explanation for the caller; times are milliseconds, `at` is counted from the beginning of the execution. Calls
 * are in the order in which they began: the order in which they ended tells how long hidden ones took.
 */
export function writtenExplanation({ mode, cost, began, plan, calls }: Explanation): object {
  if (mode === 'cost') return cost;
  const inOrder = calls.toSorted((a, b) => a.began - b.began);
  const told = inOrder
    .slice(0, MOST_CALLS)
    .map(({ began: callBegan, milliseconds, ...call }) => ({
      ...call,
      at: rounded(callBegan - began),
      milliseconds: rounded(milliseconds),
    }));
  return {
    ...cost,
    plan,
    calls: told,
    ...(calls.length > MOST_CALLS && { furtherCalls: calls.length - MOST_CALLS }),
    milliseconds: rounded(performance.now() - began),
  };
}

const rounded = (milliseconds: number): number => Math.round(milliseconds * 10) / 10;
