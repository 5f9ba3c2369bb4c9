import type { CountLookup } from '../../../schema/process/cache-lookups.ts';
import { lastly, type Awaitable } from '../../../schema/process/awaitable.ts';
import { documentIdOf } from '../../../schema/graphql/trusted-manifest.ts';
import type { Measured } from '../../../schema/process/measured.ts';
import type { AnsweredOperation } from '../../http/metrics.ts';
import { operationCost } from '../document/operation-cost.ts';
import type { RequestScope } from '../request/request-scope.ts';

/** Measures GraphQL operations. */
export interface GraphqlMeasures {
  executed(way: 'compiled' | 'planned'): void;
  operation(): Measured<AnsweredOperation | undefined>;
  cacheLookup: CountLookup;
}

/**
 * Returns a function that executes an operation, measures it and logs a slow one: its name, the hash of its document, its
 * cost and its time, never a text or a variable, which may name a patient.
 * @param slow milliseconds; undefined: none is logged
 */
export function measuredOperations(measures: GraphqlMeasures | undefined, slow = Infinity) {
  return <Answer>(scope: RequestScope, execute: () => Awaitable<Answer>): Awaitable<Answer> => {
    const began = performance.now();
    const measured = measures?.operation();
    const end = (): void => {
      const { operation: taken, log, tenant } = scope;
      const name = taken?.operation.name?.value;
      measured?.end(taken && { type: taken.operation.operation, name });
      const ms = Math.round(performance.now() - began);
      if (taken && ms >= slow) {
        const hash = documentIdOf(taken.source);
        const details = { tenant: tenant.key, operation: name, hash, cost: operationCost(taken), ms };
        log.warn(details, 'a slow GraphQL operation');
      }
    };
    return lastly(() => (measured ? measured.run(execute) : execute()), end);
  };
}
