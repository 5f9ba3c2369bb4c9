import type { CountLookup } from '../../schema/process/cache-lookups.ts';
import { operationCost } from './operation-cost.ts';
import type { RequestScope } from './request-scope.ts';

/** Measures GraphQL operations. */
export interface GraphqlMeasures {
  executed(way: 'compiled' | 'planned'): void;
  operation(name: string | undefined, seconds: number): void;
  cacheLookup: CountLookup;
}

/**
 * Returns a function that measures each answered operation and logs a slow one: its name, the hash of its document, its
 * cost and its time, never a text or a variable, which may name a patient.
 * @param slow milliseconds; undefined: none is logged
 */
export function answeredOperations(measures: GraphqlMeasures | undefined, slow = Infinity) {
  return ({ operation: taken, log }: RequestScope, milliseconds: number): void => {
    if (!taken) return;
    const { hash, operation } = taken;
    const name = operation.name?.value;
    measures?.operation(name, milliseconds / 1000);
    if (milliseconds < slow) return;
    const ms = Math.round(milliseconds);
    log.warn({ operation: name, hash, cost: operationCost(taken), ms }, 'a slow GraphQL operation');
  };
}
