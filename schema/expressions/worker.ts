import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import { boundedCache } from '../cache/bounded-cache.ts';
import { withDecimals } from '../fhir/decimal.ts';
import { refusalOf } from './judge.ts';
import type { RulesName } from './rules.ts';
import { limitedRun, runTime } from './run-time.ts';

/** An expression and the items that it is evaluated for. */
export interface Task {
  expression: string;
  /** Rules by which the expression is judged. */
  rules: RulesName;
  /** Path of the items when they are parts of a resource: `Observation.component`. */
  base?: string;
  /** A JSON array. */
  items: string;
}

/** `refused`: the reason, as a predicate. `milliseconds`: run time. */
export type Answer<T> = ({ results: T[] } | { refused: string }) & { milliseconds: number };

type Evaluate = (item: unknown) => unknown[];

/** Milliseconds of run time that one evaluation may take. */
const LIMIT = 50;
/** Milliseconds of run time after which the rest of a list waits for the next message. */
const ENOUGH = 20;

/** Compiled expressions of all callers. They hold no patient data. */
const compiled = boundedCache<Evaluate | { refused: string }>({ entries: 200 });

/**
 * Evaluates an expression for each item of a list, or for the first items of a long list.
 * @returns for each item whether the expression is true; undefined when the evaluation failed
 */
export function select(task: Task): Answer<boolean | undefined> {
  return evaluated(task, isTrue);
}

/**
 * Tells if the result of a criterion is true: a single value that is no boolean counts as true (FHIRPath §4.5). Several
 * values are an error.
 */
function isTrue([value, ...others]: unknown[]): boolean | undefined {
  return others.length > 0 ? undefined : value !== undefined && value !== false;
}

/**
 * Evaluates an expression for each item of a list, or for the first items of a long list.
 * @returns the values of each item as texts; undefined when the evaluation failed, or a value is no primitive
 */
export function primitives(task: Task): Answer<string[] | undefined> {
  return evaluated(task, (values) =>
    values.some((value) => typeof value === 'object') ? undefined : values.map(String),
  );
}

/**
 * Evaluates an expression for each item of a list, or for the first items of a long list.
 * @returns the texts of each item; undefined when the evaluation failed
 */
export function texts(task: Task): Answer<string[] | undefined> {
  return evaluated(task, (values) => values.filter((value) => typeof value === 'string'));
}

function evaluated<T>({ items, ...task }: Task, result: (values: unknown[]) => T): Answer<T | undefined> {
  const began = runTime();
  const evaluate = compile(task);
  const answer = 'refused' in evaluate ? evaluate : resultsOf(evaluate, items, result);
  return { ...answer, milliseconds: runTime() - began };
}

function resultsOf<T>(
  evaluate: Evaluate,
  json: string,
  result: (values: unknown[]) => T,
): { results: (T | undefined)[] } | { refused: string } {
  const items = JSON.parse(withDecimals(json)) as unknown[];
  const results: (T | undefined)[] = [];
  const began = runTime();
  let look = performance.now() + ENOUGH;
  // Called again, it continues where it was interrupted.
  const work = (): void => {
    while (results.length < items.length) {
      const values = valuesOf(evaluate, items[results.length]);
      results.push(values && result(values));
      if (performance.now() < look) continue;
      if (runTime() - began >= ENOUGH) return;
      look = performance.now() + ENOUGH / 4;
    }
  };
  return limitedRun(work, LIMIT)
    ? { results }
    : { refused: `takes too long: it was ended after ${LIMIT} ms. Make it simpler` };
}

function compile({ expression, rules, base }: Omit<Task, 'items'>): Evaluate | { refused: string } {
  const key = JSON.stringify([expression, rules, base]);
  let found = compiled.get(key);
  if (!found) {
    const refused = refusalOf(expression, rules);
    const path = base === undefined ? expression : { base, expression };
    found = refused !== undefined ? { refused } : fhirpath.compile(path, r4, { async: false });
    compiled.set(key, found);
  }
  return found;
}

function valuesOf(evaluate: Evaluate, item: unknown): unknown[] | undefined {
  try {
    return evaluate(item);
  } catch {
    return undefined;
  }
}

/** Evaluates an expression at the start: a new thread is ten times slower, and its first caller must not wait for that. */
function warmUp(): void {
  const expression = "code.coding.where(system = 'http://loinc.org' and code = '8302-2').exists()";
  const item = { code: { coding: [{ system: 'http://loinc.org', code: '8302-2' }] } };
  const items = JSON.stringify(Array.from({ length: 100 }, () => item));
  for (let times = 0; times < 10; times++)
    select({ expression, rules: 'argument', base: 'Observation', items });
}

warmUp();
