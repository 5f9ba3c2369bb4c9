import fhirpath from 'fhirpath';
import { CONSTRUCT_WORDS, RULES, type Rules, type RulesName } from './rules.ts';

/** A node of the form that `fhirpath.parse` gives. */
interface Node {
  type: string;
  text?: string;
  children?: readonly Node[];
}

/** Nodes of one expression. */
const MOST_NODES = 1000;
/** Brackets of one expression: the parser takes long for many that are not closed. */
const MOST_BRACKETS = 40;
/** Parentheses, arguments and indexes within each other. */
const DEEPEST = 10;
/** Names of elements and types; what has no such name is no FHIR. */
const NAME = /^[A-Za-z][A-Za-z0-9]*$/;

/**
 * Judges an expression of someone else by what it parses to (FG-23, SM-15). Spellings, comments and backticks make no
 * difference to that. Parsing may take some milliseconds: what a caller sent is judged in a worker.
 * @returns what is wrong with it, to be put after its subject (`calls matches(), which is not allowed`); undefined for
 * an expression that may be evaluated
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
    if (nodes >= MOST_NODES) return 'has too many parts';
    if (depth > DEEPEST) return `nests deeper than ${DEEPEST} levels`;
    const refusal = refusalOfNode(node, rules);
    if (refusal !== undefined) return refusal;
    const within = ['ParenthesizedTerm', 'ParamList', 'IndexerExpression'].includes(node.type) ? 1 : 0;
    for (const child of node.children ?? []) pending.push({ node: child, depth: depth + within });
  }
  return undefined;
}

/** The part of the judgement that needs no parsing, and so no worker. */
export function refusalOfSize(expression: string, rulesName: RulesName): string | undefined {
  const { longest } = RULES[rulesName];
  if (expression.length > longest) return `is longer than ${longest} characters`;
  const brackets = expression.match(/[([{]/g)?.length ?? 0;
  return brackets > MOST_BRACKETS ? `has more than ${MOST_BRACKETS} brackets` : undefined;
}

function refusalOfNode(node: Node, rules: Rules): string | undefined {
  if (!rules.constructs.has(node.type)) {
    return `uses ${CONSTRUCT_WORDS[node.type] ?? node.type}, which is not allowed`;
  }
  if (node.type === 'FunctionInvocation') return refusalOfCall(node.children![0]!, rules);
  if (node.type === 'MemberInvocation') return refusalOfName(node.children![0]!.text!);
  return undefined;
}

/** @param call identifier and parameters; of `sort` the parameters alone */
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

/** The engine reads an element as a property of an object, which has some that no FHIR element is called. */
function refusalOfName(text: string): string | undefined {
  const name = text.replace(/^`(.*)`$/s, '$1');
  return NAME.test(name) && !(name in Object.prototype)
    ? undefined
    : 'names an element that FHIR does not have';
}

/** ` (line 1, column 7)` of a syntax error; empty where the parser does not say. */
function positionOf(error: unknown): string {
  const [first] = (error as { errors?: unknown[][] }).errors ?? [];
  return first ? ` (line ${Number(first[2])}, column ${Number(first[3]) + 1})` : '';
}
