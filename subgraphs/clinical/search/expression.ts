import fhirpath from 'fhirpath';
import { createRequire } from 'node:module';
import { splitOutside } from '../../../schema/expressions/fhirpath.ts';
import { fieldsOf, type Field } from '../../../schema/fhir/tables.ts';

/** A value in a resource, with the FHIR type of its element. */
export interface TypedValue {
  value: unknown;
  type: string;
}

export type Expression = (resource: object) => TypedValue[];

type Step = (values: readonly TypedValue[]) => TypedValue[];

/**
 * Compiles the FHIRPath of a search parameter. Nearly all are plain paths, some with `ofType()` or `where(x='y')`: these
 * are walked directly, about fifty times faster than by the engine, and the values keep their types. The engine evaluates
 * all others.
 */
export function compileExpression(expression: string, resourceType: string): Expression {
  const branches = splitOutside(expression, '|').map((branch) => compileBranch(branch, resourceType));
  const only = branches.length === 1 ? branches[0] : undefined;
  return only ?? ((resource) => branches.flatMap((branch) => branch(resource)));
}

/**
 * Compiles a plain path that begins at an item of another expression: a part of a composite.
 * @throws Error for any other FHIRPath
 */
export function compileItemExpression(expression: string): (item: TypedValue) => TypedValue[] {
  const branches = splitOutside(expression, '|').map((branch) =>
    splitOutside(branch, '.').map((text) => {
      const step = compileStep(text);
      if (!step) throw new Error(`A part of a composite search parameter is no plain path: ${expression}`);
      return step;
    }),
  );
  return (item) => branches.flatMap((steps) => steps.reduce((values, step) => step(values), [item]));
}

function compileBranch(branch: string, resourceType: string): Expression {
  const [first, ...rest] = splitOutside(branch, '.');
  const startsHere = first === resourceType || first === 'Resource' || first === 'DomainResource';
  const steps = startsHere ? rest.map(compileStep) : [undefined];
  if (!steps.every((step) => step !== undefined)) return byEngine(branch);
  return (resource) =>
    steps.reduce<TypedValue[]>((values, step) => step(values), [{ value: resource, type: resourceType }]);
}

function compileStep(text: string): Step | undefined {
  const ofType = /^ofType\((\w+)\)$/.exec(text)?.[1];
  if (ofType) return (values) => values.filter(({ type }) => type === ofType);
  const where = /^where\((\w+)\s*=\s*'([^']*)'\)$/.exec(text);
  if (where) {
    const [, name = '', wanted] = where;
    return (values) =>
      values.filter(({ value }) => (value as Record<string, unknown> | null)?.[name] === wanted);
  }
  return /^\w+$/.test(text) ? childStep(text) : undefined;
}

/** Returns all children of a name; a choice (`value`) is found by each of its JSON names. */
function childStep(name: string): Step {
  const fields = new Map<string, readonly Field[]>();
  const fieldsNamed = (type: string): readonly Field[] => {
    let found = fields.get(type);
    if (!found) {
      found = fieldsOf(type).filter((field) => field.name === name || field.choice === name);
      fields.set(type, found);
    }
    return found;
  };
  return (values) => {
    const children: TypedValue[] = [];
    for (const { value, type } of values) {
      if (typeof value !== 'object' || value === null) continue;
      for (const field of fieldsNamed(type)) {
        const child = (value as Record<string, unknown>)[field.name];
        if (Array.isArray(child)) {
          for (const item of child) if (item !== null) children.push({ value: item, type: field.type });
        } else if (child !== undefined && child !== null) {
          children.push({ value: child, type: field.type });
        }
      }
    }
    return children;
  };
}

const require = createRequire(import.meta.url);

/** Returns the model of R4, which is loaded at its first use: it takes 3 MB, and many processes need none. */
const r4 = () => require('fhirpath/fhir-context/r4') as typeof import('fhirpath/fhir-context/r4').default;

function byEngine(expression: string): Expression {
  const evaluate = fhirpath.compile(expression, r4(), { async: false });
  return (resource) =>
    (evaluate(resource) as unknown[]).map((value) => ({ value, type: typeByShape(value) }));
}

/** Returns a type for a value of the engine, which gives no types. For indexing, the shape of the value is enough. */
function typeByShape(value: unknown): string {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return 'decimal';
  if (typeof value !== 'object' || value === null) return 'string';
  if ('reference' in value) return 'Reference';
  if ('coding' in value || 'text' in value) return 'CodeableConcept';
  if ('start' in value || 'end' in value) return 'Period';
  if ('code' in value) return 'Coding';
  return 'Identifier';
}
