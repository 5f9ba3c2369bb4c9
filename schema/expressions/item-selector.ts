import { setImmediate } from 'node:timers/promises';
import { Fault } from '../fault/fault.ts';
import { fieldsOf, resourceTypes } from '../fhir/tables.ts';
import type { Budget } from './budget.ts';
import { refusalOfSize } from './judge.ts';
import { isLarger } from './json-size.ts';
import type { ExpressionPool } from './pool.ts';
import type { Task } from './worker.ts';

/** Lists of one request that are narrowed by the same expression: they are sent together. */
interface Group {
  expression: string;
  base: string;
  lists: List[];
}

/** Keeps the items for which the expression is true. */
interface List {
  items: readonly unknown[];
  /** For each item that was evaluated whether it is kept; undefined where it cannot be evaluated. */
  kept: (boolean | undefined)[];
  /** Whether an item is too large to be evaluated. */
  tooLarge: boolean;
  resolve(items: unknown[]): void;
  reject(fault: unknown): void;
}

/** First words of what is wrong with an expression. */
const SUBJECT = 'The fhirpath argument';
/** Items that one message to a worker holds at most. */
const MOST_ITEMS = 500;
/** Characters of JSON after which a message is full: writing them takes the request thread some milliseconds. */
const FULL = 256 * 1024;
/** Characters of one item. */
const LARGEST_ITEM = 1024 * 1024;

/** Chooses items of lists by FHIRPath that callers send, in the threads of a pool (FG-4, FG-23). */
export class ItemSelector {
  readonly #pool: ExpressionPool;
  readonly #paths = elementPaths();
  /** Of each request by expression and type. */
  readonly #groups = new WeakMap<object, Map<string, Group>>();

  constructor(pool: ExpressionPool) {
    this.#pool = pool;
  }

  /**
   * The items for which an expression is true.
   * @param type FHIR type of the items
   * @param request stands for the request; the expressions of one share its time
   * @throws Fault `invalid_request` for an expression that is refused, cannot be evaluated, or takes too long;
   * `too_large` for an item that is too large to be sent to a worker; what the pool throws
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
   * Evaluates the lists of a group, with those that come meanwhile.
   * @param close is called when the group takes no more
   */
  async #evaluate({ expression, base, lists }: Group, budget: Budget, close: () => void): Promise<void> {
    // GraphQL asks for the lists of many resources one after the other.
    await setImmediate();
    try {
      while (lists.length > 0) {
        const task = (): Task => ({ expression, rules: 'argument', base, items: nextItems(lists) });
        distribute(lists, await this.#pool.run('select', task, { subject: SUBJECT, budget }));
      }
    } catch (fault) {
      for (const { reject } of lists) reject(fault);
    } finally {
      // At once: whoever waited for a list may ask for the next before anything else runs.
      close();
    }
  }
}

/** The next items that were not evaluated yet, as a JSON array; null for one that is too large. */
function nextItems(lists: readonly List[]): string {
  const texts: string[] = [];
  let size = 0;
  for (const list of lists) {
    for (let index = list.kept.length; index < list.items.length; index++) {
      if (size > FULL || texts.length >= MOST_ITEMS) return `[${texts.join()}]`;
      list.tooLarge ||= isLarger(list.items[index], LARGEST_ITEM);
      const text = list.tooLarge ? 'null' : JSON.stringify(list.items[index]);
      size += text.length;
      texts.push(text);
    }
  }
  return `[${texts.join()}]`;
}

/** Gives the lists in turn what was found for their items; those that are complete have their answer. */
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

/** Backbone types by the path that FHIRPath knows them by: `ObservationComponent` → `Observation.component`. */
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
