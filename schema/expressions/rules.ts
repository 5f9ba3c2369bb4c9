/** The part of FHIRPath (N1) that an expression may use, by who wrote it. */

/** Number of arguments of a function. */
type Arity = readonly [min: number, max: number];

export interface Rules {
  /** Largest number of characters. */
  longest: number;
  functions: ReadonlyMap<string, Arity>;
  /** Node types of the parsed form, as the parser names them. */
  constructs: ReadonlySet<string>;
  /** True when elements may be compared with literals only: the items hold only the elements that the expression names. */
  partialItems?: true;
}

export type RulesName = 'argument' | 'slice' | 'dynamicTenant' | 'tenantFile';

/**
 * Functions without patterns or recursion whose result is never larger than the input. Nested, or with operators that
 * compare each element with each other, they may still be slow on a large input: its size or their time has to be limited.
 */
const PLAIN_FUNCTIONS: readonly [string, Arity][] = [
  ['where', [1, 1]],
  ['exists', [0, 1]],
  ['all', [1, 1]],
  ['allTrue', [0, 0]],
  ['anyTrue', [0, 0]],
  ['allFalse', [0, 0]],
  ['anyFalse', [0, 0]],
  ['empty', [0, 0]],
  ['not', [0, 0]],
  ['hasValue', [0, 0]],
  ['count', [0, 0]],
  ['first', [0, 0]],
  ['last', [0, 0]],
  ['tail', [0, 0]],
  ['single', [0, 0]],
  ['ofType', [1, 1]],
  ['is', [1, 1]],
  ['as', [1, 1]],
  ['extension', [1, 1]],
  ['contains', [1, 1]],
  ['startsWith', [1, 1]],
  ['endsWith', [1, 1]],
  ['lower', [0, 0]],
  ['upper', [0, 0]],
  ['length', [0, 0]],
  ['today', [0, 0]],
  ['now', [0, 0]],
];

/** Functions that an operator may need to derive a Patient ID from an identifier. */
const TEXT_FUNCTIONS: readonly [string, Arity][] = [
  ['select', [1, 1]],
  ['skip', [1, 1]],
  ['take', [1, 1]],
  ['combine', [1, 1]],
  ['union', [1, 1]],
  ['distinct', [0, 0]],
  ['iif', [2, 3]],
  ['indexOf', [1, 1]],
  ['substring', [1, 2]],
  ['replace', [2, 2]],
  ['matches', [1, 2]],
  ['matchesFull', [1, 2]],
  ['replaceMatches', [2, 2]],
  ['split', [1, 1]],
  ['join', [0, 1]],
  ['trim', [0, 0]],
  ['toString', [0, 0]],
];

const PLAIN_CONSTRUCTS = [
  'EntireExpression',
  'TermExpression',
  'ParenthesizedTerm',
  'InvocationTerm',
  'InvocationExpression',
  'MemberInvocation',
  'FunctionInvocation',
  'ThisInvocation',
  'Functn',
  'ParamList',
  'Identifier',
  'IndexerExpression',
  'PolarityExpression',
  'UnionExpression',
  'EqualityExpression',
  'InequalityExpression',
  'MembershipExpression',
  'AndExpression',
  'OrExpression',
  'ImpliesExpression',
  'TypeExpression',
  'TypeSpecifier',
  'QualifiedIdentifier',
  'LiteralTerm',
  'NullLiteral',
  'BooleanLiteral',
  'StringLiteral',
  'NumberLiteral',
  'DateLiteral',
  'DateTimeLiteral',
  'TimeLiteral',
  'QuantityLiteral',
  'Quantity',
  'Unit',
  'DateTimePrecision',
  'PluralDateTimePrecision',
];

export const RULES: Readonly<Record<RulesName, Rules>> = {
  /** For the `fhirpath:` argument of a list, which anyone may send. */
  argument: { longest: 500, functions: new Map(PLAIN_FUNCTIONS), constructs: new Set(PLAIN_CONSTRUCTS) },
  /** For the `path` of `@slice`. Operators that compare whole elements would find parts of them equal. */
  slice: {
    longest: 500,
    functions: new Map(PLAIN_FUNCTIONS),
    constructs: new Set(
      PLAIN_CONSTRUCTS.filter((name) => name !== 'UnionExpression' && name !== 'QuantityLiteral'),
    ),
    partialItems: true,
  },
  /** For `mrn` of a dynamic tenant, whose configuration anyone may send in the URL (SM-15). */
  dynamicTenant: { longest: 300, functions: new Map(PLAIN_FUNCTIONS), constructs: new Set(PLAIN_CONSTRUCTS) },
  /** For `mrn` in a tenant's file, which the operator wrote. */
  tenantFile: {
    longest: 2000,
    functions: new Map([...PLAIN_FUNCTIONS, ...TEXT_FUNCTIONS]),
    constructs: new Set([...PLAIN_CONSTRUCTS, 'AdditiveExpression']),
  },
};

/** Descriptions of constructs that are always refused, or refused by some rules. */
export const CONSTRUCT_WORDS: Readonly<Record<string, string>> = {
  AdditiveExpression: 'the operators + - &',
  MultiplicativeExpression: 'the operators * / div mod',
  ExternalConstantTerm: 'a variable (%…)',
  IndexInvocation: '$index',
  TotalInvocation: '$total',
  InstanceSelectorTerm: 'a constructed object',
  UnionExpression: 'the operator |',
  QuantityLiteral: 'a quantity',
  LongNumberLiteral: 'a long number',
};
