import fhirpath from 'fhirpath';
import { refusalOfSize } from '../../../schema/expressions/judge.ts';
import { nearestName } from '../../../schema/fhir/nearest-name.ts';
import { ExpressionError } from './findings.ts';
import { FUNCTIONS, isOfType } from './functions.ts';
import { OPERATORS } from './operators.ts';
import { element, ofType, type Compiled, type Evaluate } from './shapes.ts';
import { listOf, single } from './values.ts';

/** A node of the tree that `fhirpath.parse` returns. */
interface Node {
  type: string;
  text?: string;
  /** Text of a name in backticks. */
  delimitedText?: string;
  children?: readonly Node[];
}

/** A value that a ViewDefinition names. */
export interface Constant {
  type: string;
  value: unknown;
}

export interface ExpressionOptions {
  /** FHIR type of `$this`; undefined when it is not known. */
  type: string | undefined;
  /** Type of the resource: that of `%resource`. */
  resource: string;
  constants: ReadonlyMap<string, Constant>;
  /** Takes elements that a type does not have for empty. */
  lenient?: boolean;
}

/** The compilation of the parts of one expression, in which `$this` is one thing. */
interface Within extends ExpressionOptions {
  focus: Compiled;
}

/**
 * Compiles a FHIRPath expression: the part of it that SQL on FHIR needs. `fhirpath` parses it; its values are then found by
 * closures over FHIR JSON.
 * @throws ExpressionError for what is no FHIRPath, not supported, or names an element or constant that does not exist
 */
export function compileExpression(text: string, options: ExpressionOptions): Compiled {
  const tooMuch = refusalOfSize(text, 'tenantFile');
  if (tooMuch !== undefined) throw new ExpressionError(`The expression ${tooMuch}.`);
  return compile(parsed(text), within(options, options.type));
}

function parsed(text: string): Node {
  try {
    return fhirpath.parse(text) as Node;
  } catch (error) {
    const [first] = (error as { errors?: unknown[][] }).errors ?? [];
    const where = first ? ` at line ${Number(first[2])}, column ${Number(first[3]) + 1}` : '';
    throw new ExpressionError(`This is not FHIRPath${where}.`);
  }
}

function within(options: ExpressionOptions, type: string | undefined): Within {
  return { ...options, type, focus: { run: (focus) => focus, type } };
}

function compile(node: Node, context: Within): Compiled {
  const [first, second] = node.children ?? [];
  switch (node.type) {
    case 'EntireExpression':
    case 'TermExpression':
    case 'ParenthesizedTerm':
    case 'LiteralTerm':
      return compile(first!, context);
    case 'InvocationTerm':
      return invoke(context.focus, first!, context, true);
    case 'InvocationExpression':
      return invoke(compile(first!, context), second!, context, false);
    case 'IndexerExpression':
      return indexed(compile(first!, context), compile(second!, context));
    case 'PolarityExpression':
      return signed(node.text!, compile(first!, context));
    case 'TypeExpression': {
      const value = compile(first!, context);
      return node.text === 'is' ? isOfType(value, typeName(second!)) : ofType(value, typeName(second!));
    }
    case 'ExternalConstantTerm':
      return constant(node, context);
    default:
      return literal(node) ?? operation(node, context);
  }
}

/** Compiles the step from values to their elements, or to the result of a function. */
function invoke(input: Compiled, step: Node, context: Within, atRoot: boolean): Compiled {
  if (step.type === 'ThisInvocation') return context.focus;
  if (step.type === 'MemberInvocation') {
    const name = nameOf(step.children![0]!);
    // `Patient.name` begins with the type of the resource.
    return atRoot && name === context.type ? input : element(input, name, context.lenient ?? false);
  }
  if (step.type === 'FunctionInvocation') return call(input, step.children![0]!, context);
  throw new ExpressionError(`${step.text ?? step.type} is not supported.`);
}

function call(input: Compiled, { children = [] }: Node, context: Within): Compiled {
  const name = nameOf(children[0]!);
  const args = children[1]?.children ?? [];
  const found = FUNCTIONS.get(name);
  if (!found) {
    const near = nearestName(name, FUNCTIONS.keys())!;
    throw new ExpressionError(`The function ${name}() is not supported. Is ${near}() meant?`);
  }
  const [least, most] = found.arity;
  if (args.length < least || args.length > most) {
    const wanted = least === most ? `${least}` : `${least} to ${most}`;
    throw new ExpressionError(`${name}() takes ${wanted} arguments, not ${args.length}.`);
  }
  return found.compile({
    input,
    length: args.length,
    each: (index) => compile(args[index]!, within(context, input.type)),
    plain: (index) => compile(args[index]!, context),
    type: (index) => typeName(args[index]!),
  });
}

function indexed({ run, type }: Compiled, index: Compiled): Compiled {
  return {
    type,
    run: (focus, scope) => {
      const at = single(index.run(focus, scope));
      return typeof at === 'number' ? listOf(run(focus, scope))[at] : undefined;
    },
  };
}

function signed(sign: string, { run, type }: Compiled): Compiled {
  return {
    type,
    run: (focus, scope) => {
      const value = single(run(focus, scope));
      if (value === undefined) return undefined;
      if (typeof value !== 'number') throw new ExpressionError('Only a number can have a sign.');
      return sign === '-' ? -value : value;
    },
  };
}

function constant({ text, delimitedText, children }: Node, { constants, resource: type }: Within): Compiled {
  const name = delimitedText ?? text ?? nameOf(children![0]!.children![0]!);
  if (name === 'rowIndex') return { run: (_, { rowIndex }) => rowIndex, type: 'integer' };
  if (name === 'resource' || name === 'rootResource' || name === 'context') {
    return { run: (_, { resource }) => resource, type };
  }
  const found = constants.get(name);
  if (found) return { run: () => found.value, type: found.type };
  throw new ExpressionError(`There is no constant %${name}.`);
}

const DATES: ReadonlySet<string | undefined> = new Set(['date', 'dateTime', 'instant']);
const WHOLE: ReadonlySet<string | undefined> = new Set(['integer', 'positiveInt', 'unsignedInt']);

function operation(node: Node, context: Within): Compiled {
  const operator = /Expression$/.test(node.type) ? OPERATORS[node.text ?? ''] : undefined;
  if (!operator) throw new ExpressionError(`${node.text ?? node.type} is not supported.`);
  const [left, right] = node.children!.map((child) => compile(child, context)) as [Compiled, Compiled];
  const areDates = DATES.has(left.type) || DATES.has(right.type);
  const { run } = operator;
  const evaluate: Evaluate = (focus, scope) => run(left.run(focus, scope), right.run(focus, scope), areDates);
  return { run: evaluate, type: resultOf(operator.type, node.text!, [left.type, right.type]) };
}

function resultOf(
  kind: (typeof OPERATORS)[string]['type'],
  operator: string,
  [left, right]: readonly [string | undefined, string | undefined],
): string | undefined {
  if (kind === 'either') {
    if (left === right) return left;
    return DATES.has(left) && DATES.has(right) ? 'dateTime' : undefined;
  }
  if (kind !== 'number') return kind;
  if (left === 'string' || right === 'string') return 'string';
  return operator === 'div' || (operator !== '/' && WHOLE.has(left) && WHOLE.has(right))
    ? 'integer'
    : 'decimal';
}

function literal({ type, text = '' }: Node): Compiled | undefined {
  switch (type) {
    case 'NullLiteral':
      return { run: () => undefined, type: undefined };
    case 'BooleanLiteral':
      return valued(text === 'true', 'boolean');
    case 'StringLiteral':
      return valued(unescaped(text.slice(1, -1)), 'string');
    case 'NumberLiteral':
      return valued(Number(text), text.includes('.') ? 'decimal' : 'integer');
    case 'DateLiteral':
      return valued(text.slice(1), 'date');
    case 'DateTimeLiteral':
      return valued(text.slice(1), 'dateTime');
    case 'TimeLiteral':
      return valued(text.slice(2), 'time');
    default:
      return undefined;
  }
}

const valued = (value: unknown, type: string): Compiled => ({ run: () => value, type });

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' };

const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, code: string | undefined, char: string) =>
    code === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(code, 16)),
  );

function nameOf({ text = '' }: Node): string {
  return /^[`']/.test(text) ? text.slice(1, -1) : text;
}

/** Returns the name of a type without its namespace: `Quantity` of `FHIR.Quantity`. */
function typeName(node: Node): string {
  const { children = [] } = node;
  const last = children.at(-1);
  if (node.type === 'Identifier')
    return nameOf(node).replace(/^[SBID](?=tring$|oolean$|nteger$|ecimal$)/, small);
  if (!last || node.type === 'FunctionInvocation') throw new ExpressionError('A type is needed here.');
  return typeName(last);
}

/** Types of FHIRPath itself are those of FHIR with a capital: `System.String`. */
const small = (letter: string): string => letter.toLowerCase();
