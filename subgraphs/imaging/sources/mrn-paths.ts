import fhirpath from 'fhirpath';
import { Budget } from '../../../schema/expressions/budget.ts';
import { refusalOf } from '../../../schema/expressions/judge.ts';
import { isLarger } from '../../../schema/expressions/json-size.ts';
import type { ExpressionPool } from '../../../schema/expressions/pool.ts';
import type { RulesName } from '../../../schema/expressions/rules.ts';
import type { PatientIdentity } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { exactlyQueryable, unpadded } from '../facts/identifiers.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** Evaluates one path of `images.mrn` over a Patient. @returns its values @throws Error when it cannot be evaluated */
export type EvaluatePath = (
  path: string,
  patient: object,
) => readonly unknown[] | Promise<readonly unknown[]>;

/** Characters of JSON of the largest Patient. */
const LARGEST_PATIENT = 1024 * 1024;
/**
 * Same for evaluation in the calling thread: a path that compares all identifiers with each other takes milliseconds.
 */
const LARGEST_AT_ONCE = 16 * 1024;

/**
 * Decides how the paths of an image source are evaluated. Simple paths of a tenant file are compiled once and evaluated
 * in the calling thread. Other paths of a tenant file, paths that came with a request (SM-15), and all paths over a
 * large Patient are evaluated in another thread, for a limited time.
 * @returns a function that returns the evaluation for one request
 */
export function mrnPaths(
  { dynamic }: Pick<Tenant, 'dynamic'>,
  paths: readonly string[],
  expressions: ExpressionPool,
): () => EvaluatePath {
  if (dynamic) return () => inThread(expressions, 'dynamicTenant');
  if (paths.some((path) => refusalOf(path, 'argument') !== undefined)) {
    return () => inThread(expressions, 'tenantFile');
  }
  const evaluate = evaluateHere();
  return () => {
    const evaluateLarge = inThread(expressions, 'tenantFile');
    return (path, patient) => (isLarger(patient, LARGEST_AT_ONCE) ? evaluateLarge : evaluate)(path, patient);
  };
}

/**
 * Returns an evaluation in the calling thread.
 * @param compiled cache of compiled paths, which contains no patient data
 */
export function evaluateHere(
  compiled = new Map<string, (resource: object) => readonly unknown[]>(),
): EvaluatePath {
  return (path, patient) => {
    // Compiling a path takes five times as long as evaluating it.
    const evaluate = compiled.get(path) ?? fhirpath.compile(path, undefined, { async: false });
    compiled.set(path, evaluate);
    return evaluate(patient);
  };
}

function inThread(expressions: ExpressionPool, rules: RulesName): EvaluatePath {
  const limits = { subject: 'A path in images.mrn', budget: new Budget() };
  return async (path, patient) => {
    if (isLarger(patient, LARGEST_PATIENT)) {
      throw new Fault('bad_gateway', 'The clinical server gave a Patient with too many identifiers.', {
        service: 'clinical',
      });
    }
    const task = () => ({ expression: path, rules, items: JSON.stringify([patient]) });
    const [values] = await expressions.run('texts', task, limits);
    if (!values) throw new Error('The path cannot be evaluated.');
    return values;
  };
}

/**
 * Returns the medical record numbers of a patient: the values of the first expression that gives any (DW-19), and those
 * of each record that was merged with the patient's. Values that are empty, cannot be searched exactly, or are withheld
 * are removed. An empty list means no studies.
 * @throws Fault `internal` for an expression that cannot be evaluated; Faults of `evaluate`
 */
export async function medicalRecordNumbers(
  identity: PatientIdentity,
  expressions: readonly string[],
  evaluate: EvaluatePath,
): Promise<readonly string[]> {
  const { merged = [], withheld = [] } = identity;
  const numbers: string[] = [];
  for (const identifier of [identity.identifier, ...merged]) {
    numbers.push(...(await evaluated({ ...identity, identifier }, expressions, evaluate)));
  }
  // Only now: a withheld number must not give its place to the value of another expression.
  const found = Object.freeze([...new Set(numbers)].filter((number) => !withheld.includes(number.trim())));
  if (Object.isFrozen(identity)) kept.set(identity, { expressions, numbers: found });
  return found;
}

/** By identity: a frozen one is kept for as long as the EHR is not asked again, others belong to one request. */
const kept = new WeakMap<PatientIdentity, { expressions: readonly string[]; numbers: readonly string[] }>();

/** Returns what `medicalRecordNumbers` found before; undefined if it is not kept. */
export function keptNumbers(
  identity: PatientIdentity,
  expressions: readonly string[],
): readonly string[] | undefined {
  const known = kept.get(identity);
  return known?.expressions === expressions ? known.numbers : undefined;
}

async function evaluated(
  identity: PatientIdentity,
  expressions: readonly string[],
  evaluate: EvaluatePath,
): Promise<string[]> {
  const patient = {
    resourceType: 'Patient',
    id: identity.id,
    identifier: identity.identifier,
    ...(identity.birthDate === undefined ? {} : { birthDate: identity.birthDate }),
  };
  for (const expression of expressions) {
    let values: readonly unknown[];
    try {
      values = await evaluate(expression, patient);
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      throw new Fault('internal', "The tenant's images.mrn holds an expression that cannot be evaluated.", {
        cause,
      });
    }
    const numbers = values.filter((value) => typeof value === 'string').map(unpadded);
    if (numbers.some(Boolean)) return exactlyQueryable(numbers);
  }
  return [];
}
