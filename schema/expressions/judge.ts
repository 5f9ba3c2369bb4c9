import fhirpath from 'fhirpath';
import { CONSTRUCT_WORDS, RULES, type Rules, type RulesName } from './rules.ts';

/** A node of the tree that `fhirpath.parse` returns. */
interface Node {
  type: string;
  text?: string;
  children?: readonly Node[];
}

/** Largest number of nodes of one expression. */
const MAX_NODES = 1000;
/** Largest number of brackets of one expression: the parser is slow when many are not closed. */
const MAX_BRACKETS = 40;
/** Deepest nesting of parentheses, arguments and indexes. */
const MAX_DEPTH = 10;
/** Pattern of all names of FHIR elements and types. */
const NAME = /^[A-Za-z][A-Za-z0-9]*$/;

/**
 * Judges an expression of another party by its parse tree (FG-23, SM-15), so that spelling, comments and backticks make no
 * difference. Parsing may take some milliseconds: expressions of callers are judged in a worker.
 * @returns the reason of the refusal, as a predicate (`calls matches(), which is not allowed`); undefined for an
 * expression that may be evaluated
 */
export function refusalOf(expression: string, rulesName: RulesName): string | undefined {
  const rules = RULES[rulesName];
  const tooMuch = refusalOfSize(expression, rulesName);
  if (tooMuch !== undefined) return tooMuch;
  let root: Node;
  try {
    root = fhirpath.parse(expression) as Node;
  } catch (error) {
    return `is not FHIRPath${positionOf(error)}`;
  }
  const pending = [{ node: root, depth: 0 }];
  for (let nodes = 0, next = pending.pop(); next; nodes++, next = pending.pop()) {
    const { node, depth } = next;
    if (nodes >= MAX_NODES) return 'has too many parts';
    if (depth > MAX_DEPTH) return `nests deeper than ${MAX_DEPTH} levels`;
    const refusal = refusalOfNode(node, rules);
    if (refusal !== undefined) return refusal;
    const within = ['ParenthesizedTerm', 'ParamList', 'IndexerExpression'].includes(node.type) ? 1 : 0;
    for (const child of node.children ?? []) pending.push({ node: child, depth: depth + within });
  }
  return undefined;
}

/** Judges only the size of an expression, without parsing it, so that no worker is needed. */
export function refusalOfSize(expression: string, rulesName: RulesName): string | undefined {
  const { longest } = RULES[rulesName];
  if (expression.length > longest) return `is longer than ${longest} characters`;
  const brackets = expression.match(/[([{]/g)?.length ?? 0;
  return brackets > MAX_BRACKETS ? `has more than ${MAX_BRACKETS} brackets` : undefined;
}

function refusalOfNode(node: Node, rules: Rules): string | undefined {
  if (!rules.constructs.has(node.type)) {
    return `uses ${CONSTRUCT_WORDS[node.type] ?? node.type}, which is not allowed`;
  }
  if (rules.partialItems && COMPARISONS.has(node.type) && !node.children?.some(isLiteral)) {
    return 'compares elements with each other; compare them with a text, number, date or boolean';
  }
  if (node.type === 'FunctionInvocation') return refusalOfCall(node.children![0]!, rules);
  if (node.type === 'MemberInvocation') return refusalOfName(node.children![0]!.text!);
  return undefined;
}

const COMPARISONS: ReadonlySet<string> = new Set([
  'EqualityExpression',
  'InequalityExpression',
  'MembershipExpression',
]);

function isLiteral({ type, children: [only] = [] }: Node): boolean {
  if (type === 'LiteralTerm') return true;
  return (
    only !== undefined && (type === 'TermExpression' || type === 'PolarityExpression') && isLiteral(only)
  );
}

/** @param call its children are identifier and parameters; for `sort` only the parameters */
function refusalOfCall({ text, children = [] }: Node, { functions }: Rules): string | undefined {
  const identifier = children.find(({ type }) => type === 'Identifier');
  const name = identifier?.text ?? text ?? '';
  if (name.startsWith('`')) return 'calls a function by a name in backticks; write it without them';
  const arity = functions.get(name);
  if (!arity) {
    return `calls ${name}(), which is not allowed; allowed are ${[...functions.keys()].join(', ')}`;
  }
  const given = children.find(({ type }) => type === 'ParamList')?.children?.length ?? 0;
  return given < arity[0] || given > arity[1] ? `calls ${name}() with ${given} arguments` : undefined;
}

/** Refuses names that are no FHIR element: the engine would read them as properties of a JavaScript object. */
function refusalOfName(text: string): string | undefined {
  const name = text.replace(/^`(.*)`$/s, '$1');
  return NAME.test(name) && !(name in Object.prototype)
    ? undefined
    : 'names an element that FHIR does not have';
}

/** Returns the position of a syntax error, as ` (line 1, column 7)`; empty when the parser does not give it. */
function positionOf(error: unknown): string {
  const [first] = (error as { errors?: unknown[][] }).errors ?? [];
  return first ? ` (line ${Number(first[2])}, column ${Number(first[3]) + 1})` : '';
}
