import { getVariableValues, type GraphQLError, type GraphQLFormattedError } from 'graphql';
import { allOf, andThen, orElse, type Awaitable } from '../../../schema/process/awaitable.ts';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { fragmentsOf } from '../document/fragments.ts';
import { defaultsOf } from '../document/operation-cost.ts';
import { formatError } from '../subgraphs/format-error.ts';
import { coreOf, formatted, type LocalSubgraph } from '../subgraphs/local-data-source.ts';
import type { GraphSubgraph, RemoteSubgraph } from '../subgraphs/remote-data-source.ts';
import { RemoteFetches } from './remote-fetches.ts';
import type { RequestScope } from '../request/request-scope.ts';
import type { Refusals } from '../scopes/field-scopes.ts';
import type { ServiceName } from '../request/service-name.ts';
import type { CompiledOperation, Text } from './compiled.ts';
import type { SubgraphSchemas } from './crossing.ts';
import { compile } from './compile.ts';
import { TextMemory } from './kept-texts.ts';
import type { Operation } from './operation.ts';
import { SharedFields } from './shared-fields.ts';
import { takeRows, type WantedRows } from './rows.ts';
import { planText } from './plan-text.ts';
import { partsOf, type LaterParts } from './deferred-parts.ts';
import { rootOf, Run, type RunContext } from './run.ts';
import { objectText } from './write.ts';
import { WrittenData } from './written-data.ts';

/** Options of all executions of a graph. */
export interface ExecutionOptions {
  /** Limit of the fields that the lists of one answer may hold. */
  fields: number;
  /** True to execute only streams of rows, which Apollo's executor cannot write, and to leave all else to it. */
  rowsOnly?: boolean;
  /** Called for each execution. */
  onExecute?: (() => void) | undefined;
}

/** The form in which a caller wants an answer. */
interface AnswerForm {
  rows?: WantedRows | undefined;
  /** True for a caller who takes parts that come later (`@defer`). */
  defers: boolean;
  /** Fields and types that the caller's scopes do not cover; undefined for none. */
  refusals?: Refusals | undefined;
}

/** Errors are written for the caller. */
export interface Answered {
  data: WrittenData | null;
  errors: readonly GraphQLFormattedError[];
  /** Fields that its lists have charged to the limit of the answer. */
  spent: number;
  /** Parts that come later; undefined for a whole answer. */
  later?: LaterParts;
}

type LocalSubgraphs = Readonly<Record<ServiceName, LocalSubgraph>>;
type RemoteSubgraphs = Readonly<Record<ServiceName, RemoteSubgraph>>;
/** All in this process, or all in other ones. */
type Subgraphs = LocalSubgraphs | RemoteSubgraphs;

const areRemote = (subgraphs: Subgraphs): subgraphs is RemoteSubgraphs =>
  Object.values(subgraphs).some((one: GraphSubgraph) => 'fetch' in one);

/**
 * Executes operations as functions that were compiled from them: each field is written as text where the resolver of its
 * subgraph gives it, in one pass over both subgraphs, without a plan, documents for the subgraphs, or merged data. A field
 * that fails is null, with the same error as in a planned answer.
 */
export class CompiledExecution {
  readonly #subgraphs: Subgraphs;
  readonly #options: ExecutionOptions;
  /** The same for all operations that are compiled. */
  readonly #means: { subgraphs: SubgraphSchemas; isRemote: boolean; texts: TextMemory };
  readonly #shared = new SharedFields();

  /** @param subgraphs both; or one alone, whose fields then need no step to the other */
  constructor(subgraphs: Readonly<Partial<Record<ServiceName, GraphSubgraph>>>, options: ExecutionOptions) {
    this.#options = options;
    this.#subgraphs = subgraphs as Subgraphs;
    const schemas = Object.entries(subgraphs).map(([name, { schema }]) => [name, schema] as const);
    const own = Object.fromEntries(schemas) as SubgraphSchemas;
    this.#means = { subgraphs: own, isRemote: areRemote(this.#subgraphs), texts: new TextMemory() };
  }

  /**
   * Compiles an operation before it is asked for, as it is without variables.
   * @param defers true: also for callers who take parts that come later
   * @returns false for an operation that has to be planned when it is asked for
   */
  prepare(operation: Operation, defers: boolean): boolean {
    if (this.#options.rowsOnly) return true;
    const variables = defaultsOf(operation.valid.operation);
    const isCompiled = this.#form(operation, variables, { defers: false }) !== undefined;
    if (isCompiled && defers) this.#form(operation, variables, { defers });
    return isCompiled;
  }

  /** @returns undefined where the gateway has to plan, or to refuse the variables; nothing is executed then */
  run(
    known: Operation,
    variables: Readonly<Record<string, unknown>>,
    { scope, defers = false }: { scope: RequestScope } & Partial<Pick<AnswerForm, 'defers'>>,
  ): Awaitable<Answered | undefined> {
    if (this.#options.rowsOnly && !scope.rows) return undefined;
    const { schema, operation } = known.valid;
    const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    if (!coerced) return undefined;
    const { fields, onExecute } = this.#options;
    const form = { rows: scope.rows, defers, refusals: known.facts.refusals(scope.access) };
    const compiled = this.#form(known, coerced, form);
    if (!compiled) return undefined;
    onExecute?.();
    if (scope.explanation) scope.explanation.plan = { kind: 'direct', text: planText(compiled) };
    const budget = new AnswerBudget(fields);
    const context: Record<string, unknown> & RunContext = { request: scope, partial: [], budget };
    const subgraphs = this.#subgraphs;
    if (areRemote(subgraphs)) context['fetches'] = new RemoteFetches({ subgraphs, scope, variables, budget });
    else for (const name of compiled.services) context[name] = coreOf(name, subgraphs[name], scope);
    const { fragments, rows } = compiled;
    const run = new Run(context, { schema, operation, fragments, variableValues: coerced });
    return andThen(
      textOf(run, () => objectText(compiled.root, ROOT, rootOf(run))),
      (text) => {
        const ended = { compiled, run, text };
        if (!scope.rows || !rows) return answered(ended, scope);
        const wanted = scope.rows;
        return andThen(
          allOf(run.rows, (row) => row),
          (texts) => {
            wanted.found = { head: rows.head, texts };
            return answered(ended, scope);
          },
        );
      },
    );
  }

  /** @param variables the values of all variables */
  #form(
    known: Operation,
    variables: Readonly<Record<string, unknown>>,
    { rows, defers, refusals }: AnswerForm,
  ): CompiledOperation | undefined {
    const chosen = known.facts.conditions.map((name) => String(variables[name]));
    const key = [rows?.format.type ?? '', defers, refusals?.key ?? '', ...chosen].join('\n');
    return known.form(key, () => {
      const { schema, document, operation } = known.valid;
      const fragments = fragmentsOf(document);
      // Rows and regions are made of the compiled fields themselves.
      const shared = rows || this.#means.isRemote ? undefined : this.#shared;
      const source = { schema, fragments, variables, defers, refusals, shared, ...this.#means };
      const compiled = compile(source, operation);
      if (compiled && rows) takeRows(compiled, rows);
      return compiled;
    });
  }
}

/** A run that has ended. */
interface Ended {
  compiled: CompiledOperation;
  run: Run;
  /** Undefined when null is not allowed where something failed. */
  text: string | undefined;
}

function answered({ compiled, run, text }: Ended, scope: RequestScope): Answered {
  const { budget } = run;
  const { aborted, reason } = scope.over;
  // The client has left.
  const { spent } = budget;
  if (aborted && !(reason instanceof Fault)) return { data: null, errors: [], spent };
  const [first = 'clinical'] = compiled.services;
  const finish = (of: Run): readonly GraphQLFormattedError[] => errorsOf(of, first, scope);
  if (budget.isExceeded) {
    const fields = compiled.root.fields.map(
      (field) => `${field.key}${'text' in field ? field.text : 'null'}`,
    );
    const refusal = written(budget.refusal(), first, scope);
    const refused = compiled.root.fields.filter((field) => !('text' in field));
    return {
      data: new WrittenData(`{${fields.join()}}`),
      errors: refused.map(({ name }) => ({ ...refusal, path: [name] })),
      spent,
    };
  }
  return {
    data: text === undefined ? null : new WrittenData(text),
    errors: finish(run),
    spent,
    ...(run.deferred.length > 0 && { later: partsOf(run, finish, scope.over.signal) }),
  };
}

/** Returns the text of data; undefined when null is not allowed where something failed. */
function textOf(run: Run, write: () => Text): Awaitable<string | undefined> {
  return orElse(write, (error) => {
    run.errors.push({ error: error as GraphQLError, service: 'clinical' });
    return undefined;
  });
}

const ROOT = Object.freeze({});

/** Returns the errors of a run for the caller, in the order of a planned answer: those of the first subgraph first. */
function errorsOf(run: Run, first: ServiceName, scope: RequestScope): GraphQLFormattedError[] {
  const { errors } = run;
  const partial = run.ownPartial();
  if (errors.length === 0 && partial.length === 0) return [];
  const ofFirst = errors.filter(({ service }) => service === first);
  const others = errors.filter(({ service }) => service !== first);
  return [
    ...[...ofFirst, ...others].map(({ error, service }) => written(error, service, scope)),
    // A fault that does not name its service is of the images: of the record only whole fields fail.
    ...partial.map((error) => written(error, 'imaging', scope)),
  ];
}

function written(error: unknown, service: ServiceName, scope: RequestScope): GraphQLFormattedError {
  const formattedError = formatted(error, service, scope);
  return formatError(formattedError, formattedError);
}
