import type { QueryPlan } from '@apollo/query-planner';
import { Kind, visit, type DocumentNode, type GraphQLSchema, type OperationDefinitionNode } from 'graphql';
import type { Access } from '../../../schema/access/access.ts';
import type { TakenOperation } from '../document/asked-operation.ts';
import type { FieldScopes, Need, Refusals } from '../scopes/field-scopes.ts';
import type { CompiledOperation } from './compiled.ts';

/** Bytes that a field of a compiled form takes, and a character of a plan's JSON once it is parsed. */
const BYTES_OF_FIELD = 500;
const BYTES_OF_PLAN = 5;

/** An operation of a valid document. */
export interface ValidOperation {
  /** Text of the document. */
  source: string;
  schema: GraphQLSchema;
  document: DocumentNode;
  operation: OperationDefinitionNode;
}

/** A plan, and the length of its JSON. */
export interface MadePlan {
  plan: QueryPlan;
  characters: number;
}

/** Facts about a valid document, the same for all documents of its shape (`shapeOf`). They do not keep it. */
export class DocumentFacts {
  /** True after an execution without a plan: Apollo Server has nothing more to check in a request that sends it. */
  isExecuted = false;
  /** The variables that decide which fields are included, and which come later; each once. */
  readonly conditions: readonly string[];
  /** True if a variable changes what the operation costs: the size of a list. */
  readonly costsByVariable: boolean;
  readonly #scopes: FieldScopes | undefined;
  readonly #needs: readonly Need[];
  readonly #refusals = new WeakMap<object, { refusals: Refusals | undefined }>();

  /** @param scopes undefined: no field needs any */
  constructor(valid: ValidOperation, scopes: FieldScopes | undefined) {
    const { conditions, isCount } = usedVariables(valid.document);
    this.conditions = conditions;
    this.costsByVariable = isCount;
    this.#scopes = scopes;
    this.#needs = scopes?.needs(valid) ?? [];
  }

  /** Returns what of the document is refused to a caller, whose token lacks scopes; undefined for nothing, as for most. */
  refusals(access: Access): Refusals | undefined {
    const scopes = this.#scopes;
    const { permissions } = access;
    const known = this.#refusals.get(permissions);
    if (known || !scopes) return known?.refusals;
    const refusals = scopes.refusals(this.#needs, access);
    // Of one request alone they are not frozen: a weak map would keep them until the next full garbage collection.
    if (Object.isFrozen(permissions)) this.#refusals.set(permissions, { refusals });
    return refusals;
  }
}

/** A valid operation with all that is found out about it, once for all requests that send it. `Operations` keeps it. */
export class Operation {
  readonly valid: ValidOperation;
  readonly facts: DocumentFacts;
  readonly #grow: (bytes: number) => void;
  readonly #forms = new Map<string, CompiledOperation | undefined>();
  readonly #plans = new Map<string, Promise<QueryPlan>>();

  /** @param grow is told how many bytes more the operation takes */
  constructor(valid: ValidOperation, facts: DocumentFacts, grow: (bytes: number) => void) {
    this.valid = valid;
    this.facts = facts;
    this.#grow = grow;
  }

  /** Returns the operation as one request asks for it. */
  asked(variables: Readonly<Record<string, unknown>>): TakenOperation {
    const { schema, document, operation, source } = this.valid;
    return { schema, document, operation, variables, source };
  }

  /** Returns a compiled form; undefined for an operation that is not compiled. @param compile is called once */
  form(key: string, compile: () => CompiledOperation | undefined): CompiledOperation | undefined {
    if (!this.#forms.has(key)) {
      const form = compile();
      this.#forms.set(key, form);
      this.#grow(BYTES_OF_FIELD * (1 + (form?.fields ?? 0)));
    }
    return this.#forms.get(key);
  }

  /** Returns a plan. A plan that could not be made is not kept. @param make is called once */
  plan(key: string, make: () => Promise<MadePlan>): Promise<QueryPlan> {
    const known = this.#plans.get(key);
    if (known) return known;
    const made = make().then(
      ({ plan, characters }) => {
        this.#grow(BYTES_OF_PLAN * characters);
        return plan;
      },
      (error: unknown) => {
        this.#plans.delete(key);
        throw error;
      },
    );
    this.#plans.set(key, made);
    return made;
  }
}

const CONDITIONAL = new Set(['skip', 'include', 'defer']);

function usedVariables(document: DocumentNode): { conditions: readonly string[]; isCount: boolean } {
  const conditions = new Set<string>();
  let isCount = false;
  visit(document, {
    Directive({ name, arguments: given = [] }) {
      if (!CONDITIONAL.has(name.value)) return;
      for (const { value } of given) if (value.kind === Kind.VARIABLE) conditions.add(value.name.value);
    },
    Argument: ({ name, value }) => void (isCount ||= name.value === '_count' && value.kind === Kind.VARIABLE),
  });
  return { conditions: [...conditions], isCount };
}
