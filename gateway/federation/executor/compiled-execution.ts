import { getVariableValues, type GraphQLError, type GraphQLFormattedError } from 'graphql';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { AskedOperation } from '../asked-operation.ts';
import { formatError } from '../format-error.ts';
import { fragmentsOf } from '../fragments.ts';
import { coreOf, formatted, type LocalSubgraph } from '../local-data-source.ts';
import type { RequestScope } from '../request-scope.ts';
import type { ServiceName } from '../service-name.ts';
import type { CompiledOperation } from './compiled.ts';
import { CompiledOperations } from './compiled-operations.ts';
import { planText } from './plan-text.ts';
import { rootOf, Run, type FieldError } from './run.ts';
import { objectText } from './write.ts';
import { WrittenData } from './written-data.ts';

/** Errors are written for the caller. */
interface Answered {
  data: WrittenData | null;
  errors: readonly GraphQLFormattedError[];
}

/**
 * Executes operations as functions that were compiled from them: each field is written as text where the resolver of its
 * subgraph gives it, in one pass over both subgraphs, without a plan, documents for the subgraphs, or merged data. A field
 * that fails is null, with the same error as in a planned answer.
 */
export class CompiledExecution {
  readonly #subgraphs: Readonly<Record<ServiceName, LocalSubgraph>>;
  readonly #fields: number;
  readonly #operations: CompiledOperations;

  /** @param fields limit of the fields that the lists of one answer may hold */
  constructor(subgraphs: Readonly<Record<ServiceName, LocalSubgraph>>, fields: number) {
    this.#subgraphs = subgraphs;
    this.#fields = fields;
    const { clinical, imaging } = subgraphs;
    this.#operations = new CompiledOperations({ clinical: clinical.schema, imaging: imaging.schema });
  }

  /**
   * @param hash identifies the text of the document
   * @returns undefined where the gateway has to plan, or to refuse the variables; nothing is executed then
   */
  async run(hash: string, asked: AskedOperation, scope: RequestScope): Promise<Answered | undefined> {
    const { schema, document, operation } = asked;
    const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], asked.variables);
    if (!coerced) return undefined;
    const compiled = this.#operations.of(hash, { ...asked, variables: coerced }, scope.rows);
    if (!compiled) return undefined;
    if (scope.explanation) scope.explanation.plan = { kind: 'direct', text: planText(compiled) };
    const partial: GraphQLError[] = [];
    const budget = new AnswerBudget(this.#fields);
    const cores = [...compiled.services].map((name) => [name, coreOf(name, this.#subgraphs[name], scope)]);
    const run = new Run(
      { ...Object.fromEntries(cores), ...{ partial, request: scope, budget } },
      { schema, operation, fragments: Object.fromEntries(fragmentsOf(document)), variableValues: coerced },
    );
    const text = await dataText(run, compiled);
    if (scope.rows && compiled.rows)
      scope.rows.found = { head: compiled.rows.head, texts: await Promise.all(run.rows) };
    const { aborted, reason } = scope.signal;
    // The client has left.
    if (aborted && !(reason instanceof Fault)) return { data: null, errors: [] };
    const [first] = compiled.services;
    const write = (error: unknown, service: ServiceName) => {
      const written = formatted(error, service, scope);
      return formatError(written, written);
    };
    if (budget.isExceeded) {
      const nothing = compiled.root.fields.map((field) => `${field.key}null`).join();
      return { data: new WrittenData(`{${nothing}}`), errors: [write(budget.refusal(), first!)] };
    }
    const errors = [
      ...inOrder(run.errors, first!).map(({ error, service }) => write(error, service)),
      // A fault that does not name its service is of the images: of the record only whole fields fail.
      ...partial.map((error) => write(error, 'imaging')),
    ];
    return { data: text === undefined ? null : new WrittenData(text), errors };
  }
}

/** Returns the text of the data; undefined when null is not allowed where something failed. */
async function dataText(run: Run, { root }: CompiledOperation): Promise<string | undefined> {
  try {
    return await objectText(root, ROOT, rootOf(run));
  } catch (error) {
    const service: ServiceName = 'clinical';
    run.errors.push({ error: error as GraphQLError, service });
    return undefined;
  }
}

const ROOT = Object.freeze({});

/** Returns errors in the order of a planned answer: those of the first field's subgraph first. */
function inOrder(errors: readonly FieldError[], first: ServiceName): FieldError[] {
  return [
    ...errors.filter(({ service }) => service === first),
    ...errors.filter(({ service }) => service !== first),
  ];
}
