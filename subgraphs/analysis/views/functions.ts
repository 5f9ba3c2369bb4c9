import { parseReference } from '../../../schema/fhir/fhir.ts';
import { boundary } from './dates.ts';
import { ExpressionError } from './findings.ts';
import { distinct, union } from './operators.ts';
import { element, isPrimitive, ofType, type Compiled, type Evaluate } from './shapes.ts';
import {
  collectionOf,
  flatMap,
  isEmpty,
  joined,
  listOf,
  single,
  together,
  truth,
  type Values,
} from './values.ts';

/** A call of a function in an expression. */
export interface Call {
  input: Compiled;
  /** Number of arguments. */
  length: number;
  /** Compiles an argument that is evaluated for each value of the input, as `$this`. */
  each(index: number): Compiled;
  /** Compiles an argument that is evaluated where the call is. */
  plain(index: number): Compiled;
  /** Reads an argument that is the name of a type. */
  type(index: number): string;
}

interface FhirPathFunction {
  /** Fewest and most arguments. */
  arity: readonly [number, number];
  compile(call: Call): Compiled;
}

/** A function of the whole input. @param type of the result; that of the input when it is undefined */
const whole = (run: (values: Values) => Values, type?: string): FhirPathFunction => ({
  arity: [0, 0],
  compile: ({ input }) => ({ run: (focus, scope) => run(input.run(focus, scope)), type: type ?? input.type }),
});

/** A function of one text, with texts or numbers as arguments. Empty for an empty input or argument. */
const ofText = (
  arity: readonly [number, number],
  run: (text: string, ...args: (string | number)[]) => Values,
  type = 'string',
): FhirPathFunction => ({
  arity,
  compile: ({ input, length, plain }) => {
    const args = Array.from({ length }, (_, index) => plain(index).run);
    return {
      type,
      run: (focus, scope) => {
        const text = single(input.run(focus, scope));
        const given = args.map((arg) => single(arg(focus, scope)));
        if (text === undefined || given.includes(undefined)) return undefined;
        if (typeof text !== 'string') throw new ExpressionError('The value is no text.');
        return run(text, ...(given as (string | number)[]));
      },
    };
  },
});

/** A function that filters the input by a criterion, and looks at what is left. */
const filtered = (
  arity: readonly [number, number],
  finish: (left: readonly unknown[], all: readonly unknown[]) => Values,
  type?: string,
): FhirPathFunction => ({
  arity,
  compile: ({ input, length, each }) => {
    const criterion = length === 0 ? undefined : each(0).run;
    return {
      type: type ?? input.type,
      run: (focus, scope) => {
        const all = listOf(input.run(focus, scope));
        return finish(criterion ? all.filter((one) => truth(criterion(one, scope)) === true) : all, all);
      },
    };
  },
});

const textOf = (value: unknown): string => {
  if (typeof value === 'object') throw new ExpressionError('A value with elements is no text.');
  return String(value);
};

/** Returns the id of a reference's target; undefined when it is of another type, or names no resource. */
function keyOf(reference: unknown, type: string | undefined): string | undefined {
  const target = parseReference((reference as { reference?: string } | null)?.reference);
  return target && (type === undefined || target.type === type) ? target.id : undefined;
}

const numberOf = (values: Values): Values => {
  const value = single(values);
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^[+-]?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
};

const boundaryOf = (end: 'low' | 'high'): FhirPathFunction => ({
  arity: [0, 0],
  compile: ({ input: { type, run } }) => {
    if (type === undefined || !['date', 'dateTime', 'instant', 'time'].includes(type)) {
      throw new ExpressionError(`${end}Boundary() is supported for dates and times only.`);
    }
    return {
      type,
      run: (focus, scope) => {
        const value = single(run(focus, scope));
        return typeof value === 'string' ? boundary(type, value, end) : undefined;
      },
    };
  },
});

/** Returns the type of two results: none when they differ. */
const either = (one: Compiled, other: Compiled | undefined): string | undefined =>
  !other || one.type === other.type ? one.type : undefined;

const combined = (join: (left: Values, right: Values) => Values): FhirPathFunction => ({
  arity: [1, 1],
  compile: ({ input, plain }) => {
    const other = plain(0);
    return {
      run: (focus, scope) => join(input.run(focus, scope), other.run(focus, scope)),
      type: either(input, other),
    };
  },
});

/** Functions of FHIRPath that expressions of views may call: those of SQL on FHIR, and plain ones for texts and lists. */
export const FUNCTIONS: ReadonlyMap<string, FhirPathFunction> = new Map<string, FhirPathFunction>([
  ['where', filtered([1, 1], collectionOf)],
  ['exists', filtered([0, 1], ({ length }) => length > 0, 'boolean')],
  ['all', filtered([1, 1], (left, all) => left.length === all.length, 'boolean')],
  ['empty', whole(isEmpty, 'boolean')],
  ['count', whole((values) => listOf(values).length, 'integer')],
  ['first', whole((values) => listOf(values)[0])],
  ['last', whole((values) => listOf(values).at(-1))],
  ['tail', whole((values) => collectionOf(listOf(values).slice(1)))],
  ['single', whole(single)],
  ['distinct', whole(distinct)],
  ['hasValue', whole((values) => values !== undefined && typeof single(values) !== 'object', 'boolean')],
  ['toString', whole((values) => (isEmpty(values) ? undefined : textOf(single(values))), 'string')],
  ['toDecimal', whole(numberOf, 'decimal')],
  [
    'toInteger',
    whole((values) => (Number.isInteger(numberOf(values)) ? numberOf(values) : undefined), 'integer'),
  ],
  [
    'not',
    whole((values) => {
      const value = truth(values);
      return value === undefined ? undefined : !value;
    }, 'boolean'),
  ],
  ['union', combined(union)],
  ['combine', combined((left, right) => collectionOf(together(left, right)))],
  ['lowBoundary', boundaryOf('low')],
  ['highBoundary', boundaryOf('high')],
  ['startsWith', ofText([1, 1], (text, start) => text.startsWith(String(start)), 'boolean')],
  ['endsWith', ofText([1, 1], (text, end) => text.endsWith(String(end)), 'boolean')],
  ['contains', ofText([1, 1], (text, part) => text.includes(String(part)), 'boolean')],
  ['indexOf', ofText([1, 1], (text, part) => text.indexOf(String(part)), 'integer')],
  ['length', ofText([0, 0], (text) => text.length, 'integer')],
  ['upper', ofText([0, 0], (text) => text.toUpperCase())],
  ['lower', ofText([0, 0], (text) => text.toLowerCase())],
  ['trim', ofText([0, 0], (text) => text.trim())],
  [
    'replace',
    ofText([2, 2], (text, part, other) => {
      const [first = '', ...others] = text.split(String(part));
      return joined(first, others, String(other));
    }),
  ],
  [
    'substring',
    ofText([1, 2], (text, start, length) => {
      const from = Number(start);
      if (from < 0 || from >= text.length) return undefined;
      return text.slice(from, length === undefined ? undefined : from + Math.max(0, Number(length)));
    }),
  ],
  [
    'select',
    {
      arity: [1, 1],
      compile: ({ input, each }) => {
        const { run, type } = each(0);
        return { type, run: (focus, scope) => flatMap(input.run(focus, scope), (one) => run(one, scope)) };
      },
    },
  ],
  [
    'join',
    {
      arity: [0, 1],
      compile: ({ input, length, plain }) => {
        const separator: Evaluate = length === 0 ? () => '' : plain(0).run;
        return {
          type: 'string',
          // Of nothing the standard's tests want an empty text.
          run: (focus, scope) => {
            const [first = '', ...others] = listOf(input.run(focus, scope)).map(textOf);
            return joined(first, others, textOf(single(separator(focus, scope)) ?? ''));
          },
        };
      },
    },
  ],
  [
    'iif',
    {
      arity: [2, 3],
      compile: ({ input, length, each }) => {
        const [criterion, then, otherwise] = [each(0), each(1), length === 3 ? each(2) : undefined];
        return {
          type: either(then, otherwise),
          run: (focus, scope) => {
            const value = single(input.run(focus, scope));
            const chosen = truth(criterion.run(value, scope)) === true ? then : otherwise;
            return chosen?.run(value, scope);
          },
        };
      },
    },
  ],
  ['ofType', { arity: [1, 1], compile: ({ input, type }) => ofType(input, type(0)) }],
  ['as', { arity: [1, 1], compile: ({ input, type }) => ofType(input, type(0)) }],
  ['is', { arity: [1, 1], compile: ({ input, type }) => isOfType(input, type(0)) }],
  [
    'extension',
    {
      arity: [1, 1],
      compile: ({ input, plain }) => {
        if (input.type !== undefined && isPrimitive(input.type)) {
          throw new ExpressionError('Extensions of primitive elements are not supported.');
        }
        const url = plain(0).run;
        const all = element(input, 'extension', false).run;
        return {
          type: 'Extension',
          run: (focus, scope) => {
            const wanted = single(url(focus, scope));
            const found = listOf(all(focus, scope));
            return collectionOf(found.filter((one) => (one as { url?: string } | null)?.url === wanted));
          },
        };
      },
    },
  ],
  [
    'getResourceKey',
    {
      arity: [0, 0],
      compile: ({ input }) => ({
        type: 'id',
        run: (focus, scope) => flatMap(input.run(focus, scope), (one) => (one as { id?: string } | null)?.id),
      }),
    },
  ],
  [
    'getReferenceKey',
    {
      arity: [0, 1],
      compile: ({ input, length, type }) => {
        if (input.type !== undefined && input.type !== 'Reference') {
          throw new ExpressionError(`getReferenceKey() needs a Reference, not a ${input.type}.`);
        }
        const wanted = length === 0 ? undefined : type(0);
        return {
          type: 'id',
          run: (focus, scope) => flatMap(input.run(focus, scope), (one) => keyOf(one, wanted)),
        };
      },
    },
  ],
]);

/** Compiles the question whether the only value has a type. */
export function isOfType(input: Compiled, type: string): Compiled {
  const { run } = ofType(input, type);
  return {
    type: 'boolean',
    run: (focus, scope) => {
      const value = single(input.run(focus, scope));
      return value === undefined ? undefined : !isEmpty(run(focus, scope));
    },
  };
}
