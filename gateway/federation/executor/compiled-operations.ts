import { Kind, visit, type DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { AskedOperation } from '../document/asked-operation.ts';
import { fragmentsOf } from '../document/fragments.ts';
import type { Refusals } from '../scopes/field-scopes.ts';
import { compile } from './compile.ts';
import type { CompiledOperation } from './compiled.ts';
import type { SubgraphSchemas } from './crossing.ts';
import { TextMemory } from './kept-texts.ts';
import { takeRows, type WantedRows } from './rows.ts';

/** Fields of all compiled operations that are kept: each takes about 500 bytes. */
const KEPT_FIELDS = 20_000;

/** The form in which the caller wants an answer. */
export interface AnswerForm {
  rows?: WantedRows | undefined;
  /** True for a caller who takes parts that come later (`@defer`). */
  defers: boolean;
  /** Fields and types that the caller's scopes do not cover; undefined for none. */
  refusals?: Refusals | undefined;
}

/** Compiles operations, and keeps the last ones. */
export class CompiledOperations {
  readonly #subgraphs: SubgraphSchemas;
  readonly #isRemote: boolean;
  readonly #known = new LRUCache<string, { operation: CompiledOperation | undefined }>({
    maxSize: KEPT_FIELDS,
    sizeCalculation: ({ operation }) => 1 + (operation?.fields ?? 0),
  });

  readonly #texts = new TextMemory();
  readonly #conditions = new WeakMap<DocumentNode, readonly string[]>();

  /** @param isRemote true if the subgraphs are other processes */
  constructor(subgraphs: SubgraphSchemas, isRemote: boolean) {
    this.#subgraphs = subgraphs;
    this.#isRemote = isRemote;
  }

  /**
   * @param hash identifies the text of the document
   * @param asked with the values of all variables
   * @param form what the caller wants: rows, or parts that come later
   * @returns undefined for an operation that is not compiled
   */
  of(
    hash: string,
    asked: AskedOperation,
    { rows, defers, refusals }: AnswerForm,
  ): CompiledOperation | undefined {
    const { schema, document, operation, variables } = asked;
    let conditions = this.#conditions.get(document);
    if (!conditions) this.#conditions.set(document, (conditions = conditionsOf(document)));
    const chosen = conditions.map((name) => String(variables[name]));
    const form = [rows?.format.type ?? '', defers, refusals?.key ?? ''];
    const key = [hash, operation.name?.value ?? '', ...form, ...chosen].join('\n');
    let known = this.#known.get(key);
    if (!known) {
      const fragments = fragmentsOf(document);
      known = {
        operation: compile(
          {
            ...{ schema, subgraphs: this.#subgraphs, fragments, texts: this.#texts, variables, defers },
            ...{ refusals, isRemote: this.#isRemote },
          },
          operation,
        ),
      };
      if (known.operation && rows) takeRows(known.operation, rows);
      this.#known.set(key, known);
    }
    return known.operation;
  }
}

const CONDITIONAL = new Set(['skip', 'include', 'defer']);

/** Returns the variables that decide which fields are included, and which come later; each once. */
function conditionsOf(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Directive({ name, arguments: given }) {
      if (!CONDITIONAL.has(name.value)) return;
      for (const { value } of given ?? []) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
}
