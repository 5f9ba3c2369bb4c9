import { ALLOWED } from './functions.ts';
import { QueryError } from './finding.ts';

/** A part of the tree that the engine's parser makes of a statement (`json_serialize_sql`). */
type Tree = { readonly [member: string]: unknown };

/** The answer of the engine's parser about a text. */
export interface Parsed {
  error: boolean;
  error_message?: string;
  /** Bytes before the error. */
  position?: string;
  statements?: readonly Tree[];
}

/** The tables and parameters of a statement. */
export interface Statement {
  /** Tables of ours that it names. */
  tables: string[];
  /** Its parameters, without `:`. */
  parameters: string[];
}

/** Table functions that read nothing. */
const TABLE_FUNCTIONS = new Set(['unnest', 'range', 'generate_series']);

/** Parts of a statement that are checked by themselves, or are harmless in any arrangement. All others are refused. */
const PARTS = new Set(
  `SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE
   BASE_TABLE SUBQUERY JOIN TABLE_FUNCTION EXPRESSION_LIST EMPTY
   ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER
   ASCENDING DESCENDING ORDER_DEFAULT`.split(/\s+/),
);
const EXPRESSIONS = new Set(
  `BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR PARAMETER POSITIONAL_REFERENCE
   STAR SUBQUERY WINDOW TYPE`.split(/\s+/),
);
const OPERATORS = new Set(
  `OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_COALESCE OPERATOR_NULLIF OPERATOR_TRY COMPARE_IN COMPARE_NOT_IN
   ARRAY_EXTRACT ARRAY_SLICE ARRAY_CONSTRUCTOR STRUCT_EXTRACT GROUPING_FUNCTION`.split(/\s+/),
);

/** The end of what describes a type in a cast. */
const OF_TYPE = '_TYPE_INFO';

/** Names of parts that are refused, for people. */
const SAID: Readonly<Record<string, string>> = {
  PIVOT: 'PIVOT and UNPIVOT are not available; write the columns with FILTER, or use a chart.',
  SHOW_REF: 'SHOW, DESCRIBE and SUMMARIZE are not available; the tables are listed by GET ViewDefinition.',
  LAMBDA: 'Lambdas and JSON arrows (->) are not available; use unnest, or json_extract.',
  DEFAULT: 'DEFAULT is not available.',
};

/**
 * Checks a parsed text: one SELECT over the given tables, with known functions only.
 * @param sql the text, for the line of what is refused
 * @param names `tables` of the caller in lower case; `closed` ones, with what is said of each
 * @throws QueryError that says what is refused, and in which line
 */
export function checkStatement(
  sql: string,
  parsed: Parsed,
  { tables, closed = {} }: { tables: ReadonlySet<string>; closed?: Readonly<Record<string, string>> },
): Statement {
  const line = lines(sql);
  if (parsed.error) throw unreadable(parsed, line);
  const [statement, ...others] = parsed.statements ?? [];
  if (!statement) throw new QueryError('statement', 'There is no statement.');
  if (others.length > 0) throw new QueryError('statement', 'Only one statement is answered at a time.');
  const check = new Check(tables, closed, line);
  check.visit(statement, new Set());
  return { tables: [...check.tables].sort(), parameters: [...check.parameters] };
}

function unreadable({ error_message: message = '', position }: Parsed, line: (at: unknown) => string) {
  if (/only select/i.test(message))
    return new QueryError('statement', 'Only SELECT is answered: nothing else can be done here.');
  return new QueryError('statement', `${line(position)}${message.replace(/\s+/g, ' ')}`);
}

/** Returns a function that names the line of a place, which the parser counts in bytes. */
function lines(sql: string): (at: unknown) => string {
  const bytes = Buffer.from(sql);
  return (at) => {
    const place = typeof at === 'string' ? Number(at) : at;
    if (typeof place !== 'number' || !(place >= 0 && place <= bytes.length)) return '';
    return `Line ${bytes.subarray(0, place).toString('latin1').split('\n').length}: `;
  };
}

/** Walks through a tree. What it does not know, it refuses. */
class Check {
  readonly tables = new Set<string>();
  readonly parameters = new Set<string>();
  readonly #known: ReadonlySet<string>;
  readonly #closed: Readonly<Record<string, string>>;
  readonly #line: (at: unknown) => string;

  constructor(
    known: ReadonlySet<string>,
    closed: Readonly<Record<string, string>>,
    line: (at: unknown) => string,
  ) {
    this.#known = known;
    this.#closed = closed;
    this.#line = line;
  }

  /** @param scope names of the common table expressions that may be used here, in lower case */
  visit(part: unknown, scope: ReadonlySet<string>): void {
    if (Array.isArray(part)) for (const one of part) this.visit(one, scope);
    else if (typeof part === 'object' && part !== null) this.#visitTree(part as Tree, scope);
  }

  #visitTree(tree: Tree, scope: ReadonlySet<string>): void {
    if ('class' in tree) this.#checkExpression(tree);
    else if (typeof tree['type'] === 'string' && !tree['type'].endsWith(OF_TYPE))
      this.#checkPart(tree, scope);
    // Its value has the caller's text and a type, and nothing to be checked.
    if (tree['class'] === 'CONSTANT') return;
    const { cte_map: map, ...others } = tree;
    const inner = this.#common(map, scope);
    if (tree['type'] === 'RECURSIVE_CTE_NODE' || tree['type'] === 'CTE_NODE') {
      const { right, child, ...first } = others;
      this.visit(Object.values(first), inner);
      this.visit([right, child], new Set([...inner, lower(tree['cte_name'])]));
    } else if (tree['type'] === 'ORDER_MODIFIER')
      this.visit(
        (tree['orders'] as Tree[]).filter((order) => !isAll(order)),
        inner,
      );
    else this.visit(Object.values(others), inner);
  }

  /** Visits common table expressions: each may use those before it. @returns the scope of what follows them */
  #common(map: unknown, scope: ReadonlySet<string>): ReadonlySet<string> {
    const entries = (map as { map?: readonly { key: string; value: Tree }[] } | undefined)?.map ?? [];
    const inner = new Set(scope);
    for (const { key, value } of entries) {
      this.visit(value, new Set(inner));
      inner.add(key.toLowerCase());
    }
    return inner;
  }

  #checkPart(tree: Tree, scope: ReadonlySet<string>): void {
    const type = tree['type'] as string;
    if (!PARTS.has(type)) this.#refuse(tree, SAID[type] ?? `${words(type)} is not available.`);
    if (type === 'BASE_TABLE') this.#checkTable(tree, scope);
    if (type === 'TABLE_FUNCTION') {
      const called = tree['function'] as Tree;
      const name = lower(called['function_name']);
      if (!TABLE_FUNCTIONS.has(name) || called['schema'] || called['catalog'])
        this.#refuse(
          tree,
          `${quoted(name)} is not a table. Only tables, unnest, range and generate_series stand there.`,
        );
    }
  }

  #checkTable(tree: Tree, scope: ReadonlySet<string>): void {
    const name = lower(tree['table_name']);
    if (tree['schema_name'] || tree['catalog_name'])
      this.#refuse(tree, `write the name of a table without a schema: ${quoted(name)}.`);
    if (tree['at_clause']) this.#refuse(tree, 'AT is not available.');
    if (scope.has(name)) return;
    if (!this.#known.has(name) && Object.hasOwn(this.#closed, name))
      throw new QueryError('scope', this.#closed[name]!);
    if (!this.#known.has(name)) this.#refuse(tree, `there is no table ${quoted(name)} for you.`);
    this.tables.add(name);
  }

  #checkExpression(tree: Tree): void {
    const kind = tree['class'] as string;
    const type = tree['type'] as string;
    if (!EXPRESSIONS.has(kind)) this.#refuse(tree, SAID[kind] ?? `${words(kind)} is not available.`);
    if (kind === 'OPERATOR' && !OPERATORS.has(type)) this.#refuse(tree, `${words(type)} is not available.`);
    if (kind === 'STAR' && tree['columns']) this.#refuse(tree, 'COLUMNS is not available; name the columns.');
    if (kind === 'FUNCTION' || kind === 'WINDOW') this.#checkFunction(tree);
    if (kind === 'PARAMETER') this.#checkParameter(tree);
  }

  #checkFunction(tree: Tree): void {
    const name = lower(tree['function_name']);
    // The parser itself writes `main` for what has an operator: `[1]`, EXTRACT, AT TIME ZONE.
    const isOfEngine =
      ['', 'main'].includes(lower(tree['schema'])) && !tree['catalog'] && !tree['export_state'];
    if (!isOfEngine || !(ALLOWED.has(name) || TABLE_FUNCTIONS.has(name)))
      this.#refuse(tree, `the function ${quoted(name)} is not available.`);
  }

  #checkParameter(tree: Tree): void {
    const name = String(tree['identifier']);
    if (!/^[A-Za-z_]\w*$/.test(name)) this.#refuse(tree, 'write a parameter with its name, as in :code.');
    // The engine takes both as one.
    const other = [...this.parameters].find((one) => one !== name && lower(one) === lower(name));
    if (other) this.#refuse(tree, `the parameters :${other} and :${name} differ in case only.`);
    this.parameters.add(name);
  }

  #refuse(tree: Tree, sentence: string): never {
    const line = this.#line(tree['query_location']);
    const said = line ? sentence : sentence[0]!.toUpperCase() + sentence.slice(1);
    throw new QueryError('statement', `${line}${said}`);
  }
}

/** Tells whether an order is ORDER BY ALL, which the parser writes as COLUMNS. */
function isAll({ expression }: Tree): boolean {
  const { class: kind, columns, expr } = expression as Tree;
  return kind === 'STAR' && columns === true && !expr;
}

const lower = (name: unknown): string => String(name).toLowerCase();

/** Matches a name that a refusal repeats. Others are long, or paths. */
const SHORT = /^[^\\/]{1,60}$/;
const quoted = (name: string): string => `"${SHORT.test(name) ? name : '…'}"`;

/** Returns the name of a part for people: OPERATOR_UNPACK becomes UNPACK. */
const words = (type: string): string => type.replace(/^(OPERATOR|COMPARE)_/, '').replaceAll('_', ' ');
