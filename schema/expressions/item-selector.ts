import { setImmediate } from 'node:timers/promises';
import { Fault } from '../fault/fault.ts';
import { fieldsOf, resourceTypes } from '../fhir/tables.ts';
import { RequestValues } from '../process/request-values.ts';
import type { Budget } from './budget.ts';
import { refusalOfSize } from './judge.ts';
import { isLarger } from './json-size.ts';
import type { ExpressionPool } from './pool.ts';
import type { Task } from './worker.ts';

/** Lists of one request with the same expression: they are sent to a worker together. */
interface Group {
  expression: string;
  base: string;
  lists: List[];
}

/** A list whose items are kept when the expression is true. */
interface List {
  items: readonly unknown[];
  /** For each evaluated item: true when it is kept, undefined when the evaluation failed. */
  kept: (boolean | undefined)[];
  /** True when an item is too large to be evaluated. */
  tooLarge: boolean;
  resolve(items: unknown[]): void;
  reject(fault: unknown): void;
}

/** Subject of error messages about an expression. */
const SUBJECT = 'The fhirpath argument';
/** Largest number of items in one message to a worker. */
const MAX_ITEMS = 500;
/** Characters of JSON after which a message is full: writing them takes the request thread some milliseconds. */
const FULL_MESSAGE = 256 * 1024;
/** Largest item, in characters of JSON. */
const MAX_ITEM = 1024 * 1024;

/** Selects items of lists by FHIRPath that callers send, in the threads of a pool (FG-4, FG-23). */
export class ItemSelector {
  readonly #pool: ExpressionPool;
  readonly #paths = elementPaths();
  /** Groups of each request, by type and expression. */
  readonly #groups = new RequestValues<object, Map<string, Group>>();

  constructor(pool: ExpressionPool) {
    this.#pool = pool;
  }

  /**
   * Returns the items for which an expression is true.
   * @param type FHIR type of the items
   * @param request identifies the request; its expressions share one time budget
   * @throws Fault `invalid_request` for an expression that is refused, cannot be evaluated, or takes too long;
   * `too_large` for an item that is too large to be sent to a worker; the faults of the pool
   */
  select(items: readonly unknown[], expression: string, type: string, request: object): Promise<unknown[]> {
    const tooMuch = refusalOfSize(expression, 'argument');
    if (tooMuch !== undefined) throw new Fault('invalid_request', `${SUBJECT} ${tooMuch}.`);
    const groups = this.#groups.get(request) ?? new Map<string, Group>();
    this.#groups.set(request, groups);
    return new Promise((resolve, reject) => {
      const list: List = { items, kept: [], tooLarge: false, resolve, reject };
      const key = `${type} ${expression}`;
      const group = groups.get(key);
      if (group) return void group.lists.push(list);
      const begun: Group = { expression, base: this.#paths.get(type) ?? type, lists: [list] };
      groups.set(key, begun);
      void this.#evaluate(begun, this.#pool.budgetOf(request), () => groups.delete(key));
    });
  }

  /**
   * Returns the values of an expression at each item, as texts (FG-26).
   * @param items may have only the elements that the expression names
   * @param request like `select`
   * @throws Fault like `select`, and `invalid_request` when a value is no primitive
   */
  async values(
    items: readonly unknown[],
    { expression, type, request }: { expression: string; type: string; request: object },
  ): Promise<string[][]> {
    const found: string[][] = [];
    const base = this.#paths.get(type) ?? type;
    const asked = { subject: 'The path of @slice', budget: this.#pool.budgetOf(request) };
    do {
      const list = { items, kept: Array<boolean>(found.length), tooLarge: false };
      const task = (): Task => ({ expression, rules: 'slice', base, items: nextItems([list]) });
      const values = await this.#pool.run('primitives', task, asked);
      if (list.tooLarge || values.includes(undefined)) {
        throw new Fault(
          'invalid_request',
          'The path of @slice does not lead to texts, numbers, dates or booleans.',
        );
      }
      found.push(...(values as string[][]));
    } while (found.length < items.length);
    return found;
  }

  /**
   * Evaluates the lists of a group, and those that are added meanwhile.
   * @param close is called when the group accepts no more lists
   */
  async #evaluate({ expression, base, lists }: Group, budget: Budget, close: () => void): Promise<void> {
    // GraphQL requests the lists of many resources one after the other.
    await setImmediate();
    try {
      while (lists.length > 0) {
        const task = (): Task => ({ expression, rules: 'argument', base, items: nextItems(lists) });
        distribute(lists, await this.#pool.run('select', task, { subject: SUBJECT, budget }));
      }
    } catch (fault) {
      for (const { reject } of lists) reject(fault);
    } finally {
      // Synchronously: a caller that waited for a list may request the next before anything else runs.
      close();
    }
  }
}

/** Returns the next items to evaluate as a JSON array, with null for an item that is too large. */
function nextItems(lists: readonly Pick<List, 'items' | 'kept' | 'tooLarge'>[]): string {
  const texts: string[] = [];
  let size = 0;
  for (const list of lists) {
    for (let index = list.kept.length; index < list.items.length; index++) {
      if (size > FULL_MESSAGE || texts.length >= MAX_ITEMS) return `[${texts.join()}]`;
      list.tooLarge ||= isLarger(list.items[index], MAX_ITEM);
      const text = list.tooLarge ? 'null' : JSON.stringify(list.items[index]);
      size += text.length;
      texts.push(text);
    }
  }
  return `[${texts.join()}]`;
}

/** Distributes results to the lists in their order, and answers the lists that are complete. */
function distribute(lists: List[], results: readonly (boolean | undefined)[]): void {
  let given = 0;
  while (lists.length > 0) {
    const { items, kept, tooLarge, resolve, reject } = lists[0]!;
    const own = results.slice(given, given + items.length - kept.length);
    given += own.length;
    kept.push(...own);
    if (kept.length < items.length) return;
    lists.shift();
    if (tooLarge) reject(new Fault('too_large', `${SUBJECT} cannot be used for items of more than 1 MiB.`));
    else if (kept.includes(undefined))
      reject(new Fault('invalid_request', `${SUBJECT} cannot be evaluated.`));
    else resolve(items.filter((_, index) => kept[index]));
  }
}

/** Returns the FHIRPath path of each backbone type: `ObservationComponent` → `Observation.component`. */
function elementPaths(): Map<string, string> {
  const paths = new Map<string, string>();
  const visit = (type: string, path: string): void => {
    for (const field of fieldsOf(type)) {
      if (field.kind !== 'complex' || !field.type.startsWith(type) || field.type === type) continue;
      if (paths.has(field.type)) continue;
      paths.set(field.type, `${path}.${field.name}`);
      visit(field.type, `${path}.${field.name}`);
    }
  };
  for (const type of resourceTypes) visit(type, type);
  return paths;
}
