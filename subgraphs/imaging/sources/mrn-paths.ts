import fhirpath from 'fhirpath';
import { Budget } from '../../../schema/expressions/budget.ts';
import { refusalOf } from '../../../schema/expressions/judge.ts';
import { isLarger } from '../../../schema/expressions/json-size.ts';
import type { ExpressionPool } from '../../../schema/expressions/pool.ts';
import type { RulesName } from '../../../schema/expressions/rules.ts';
import type { PatientIdentity } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { askable, unpadded } from '../facts/identifiers.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** Evaluates one path of `images.mrn` over a Patient. @returns its values @throws Error where it cannot be evaluated */
export type EvaluatePath = (
  path: string,
  patient: object,
) => readonly unknown[] | Promise<readonly unknown[]>;

/** Characters of JSON of one Patient. */
const LARGEST_PATIENT = 1024 * 1024;
/** The same where a path is evaluated at once: a path that compares each identifier with each takes milliseconds. */
const LARGEST_AT_ONCE = 16 * 1024;

/**
 * How the paths of an image source are evaluated: plain ones of a tenant's file at once, each compiled the first time.
 * What the operator wrote beyond that, all that came with a request (SM-15), and every path over a large Patient, in a
 * thread and for a limited time.
 * @returns makes the evaluation for one request
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

/** Evaluates on the thread of the caller. @param compiled is given the paths that are not there yet; nothing of a patient's is in it */
export function evaluateHere(
  compiled = new Map<string, (resource: object) => readonly unknown[]>(),
): EvaluatePath {
  return (path, patient) => {
    // To compile one takes five times as long as to evaluate it.
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
 * The patient's medical record numbers: the values of the first expression that yields any (DW-19).
 * Empty ones and ones that cannot be asked for exactly are left out, so the list may be empty; it then means no studies.
 * @throws Fault `internal` for an expression that cannot be evaluated; what `evaluate` throws as a Fault
 */
export async function medicalRecordNumbers(
  identity: PatientIdentity,
  expressions: readonly string[],
  evaluate: EvaluatePath,
): Promise<readonly string[]> {
  const known = kept.get(identity);
  if (known?.expressions === expressions) return known.numbers;
  const numbers = Object.freeze(await evaluated(identity, expressions, evaluate));
  if (Object.isFrozen(identity)) kept.set(identity, { expressions, numbers });
  return numbers;
}

/** By identity: a frozen one is kept for as long as the EHR is not asked again, others belong to one request. */
const kept = new WeakMap<PatientIdentity, { expressions: readonly string[]; numbers: readonly string[] }>();

async function evaluated(
  identity: PatientIdentity,
  expressions: readonly string[],
  evaluate: EvaluatePath,
): Promise<string[]> {
  const patient = {
    resourceType: 'Patient',
    id: identity.id,
    identifier: identity.identifier,
    ...(identity.birthDate !== undefined && { birthDate: identity.birthDate }),
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
    if (numbers.some(Boolean)) return askable(numbers);
  }
  return [];
}
