import type {
  FieldNode,
  GraphQLError,
  GraphQLObjectType,
  GraphQLOutputType,
  GraphQLResolveInfo,
  GraphQLSchema,
  OperationDefinitionNode,
} from 'graphql';
import { locatedError, responsePathAsArray } from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { Fault } from '../../../schema/fault/fault.ts';
import type { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import type { ServiceName } from '../request/service-name.ts';

type Path = GraphQLResolveInfo['path'];

/** The place of a value in the answer of a run: a path of graphql-js. The root is the only place that is no path. */
export interface Place extends Path {
  run: Run;
  /** Of an object: its entities in the other subgraph, by the step to each. */
  steps: Map<object, Promise<unknown>> | undefined;
}

/** Key of the root; no field has this name. */
const ROOT = '';

export const rootOf = (run: Run): Place => ({
  run,
  prev: undefined,
  key: ROOT,
  typename: undefined,
  steps: undefined,
});

/** Returns the place of a field or an item. @param key name in the answer, or index */
export function within(place: Place, key: string | number, typename?: string): Place {
  return { run: place.run, prev: pathOf(place), key, typename, steps: undefined };
}

/** Returns the path of a place; undefined for the root. */
const pathOf = (place: Place): Path | undefined => (place.key === ROOT ? undefined : place);

/** A field, as its resolver is told of it and as its errors name it. */
export interface ResolvedField {
  fieldName: string;
  /** All selections of the field under one name; the first has the arguments. */
  nodes: readonly FieldNode[];
  parent: GraphQLObjectType;
  type: GraphQLOutputType;
  /** The subgraph that resolves the field. */
  service: ServiceName;
  /** Returns the values of the arguments, frozen; the same at each call where no variable is among them. @throws GraphQLError */
  argumentsIn: (variables: Record<string, unknown>) => Record<string, unknown>;
  /** True if a variable is among the arguments. */
  takesVariables: boolean;
}

/** The facts of an execution that its resolvers are told. */
export type RunInfo = Pick<GraphQLResolveInfo, 'schema' | 'fragments' | 'operation' | 'variableValues'> & {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
};

/** An error of a field, and the subgraph that made it. */
export interface FieldError {
  error: GraphQLError;
  service: ServiceName;
}

/** The place of a failure. */
interface Failed {
  field: ResolvedField;
  place: Place;
  isNonNull: boolean;
}

/** A part of an answer that comes later (`@defer`). */
export interface DeferredPart {
  label: string | undefined;
  path: readonly (string | number)[];
  /** Names of the members that only this part has. */
  names: ReadonlySet<string>;
  /** The execution of the part, with its own errors. */
  run: Run;
  /** The members of the object at the path. @throws GraphQLError where null is not allowed */
  text: Promise<string>;
}

interface Deferred {
  label: string | undefined;
  names: ReadonlySet<string>;
  /** Of the object that the part belongs to. */
  place: Place;
  write: (place: Place) => string | Promise<string>;
}

/** Parts that may come later in one answer. */
const MOST_PARTS = 100;

/**
 * Lists of a patient that are searched while the patient is still read, because they need nothing of it but the id: an EHR is
 * then waited for once, not twice. Nothing of a list is released before the patient is there: then its field takes it. Without
 * the patient it is forgotten, but the audit has it, because it was searched.
 */
interface EarlyLists {
  /** Of the patient. */
  id: string;
  lists: ReadonlyMap<ResolvedField, EarlyList>;
}

export interface EarlyList {
  value: Promise<unknown>;
  /** Errors of data that are there only in part. They belong to the answer when the list does. */
  partial: GraphQLError[];
}

/** The context of the resolvers. They add errors of data that they can give only in part to `partial`. */
export interface RunContext {
  budget: AnswerBudget;
  partial: GraphQLError[];
}

/** One execution of a compiled operation. */
export class Run {
  readonly errors: FieldError[] = [];
  /** The rows that were taken out of the answer. */
  readonly rows: (string | Promise<string>)[] = [];
  /** For the resolvers. */
  readonly context: RunContext;
  readonly budget: AnswerBudget;
  /** True while a text is written that is kept as a whole. */
  isKeeping = false;
  /** Lists that were begun before the patient around them was there, by the place of the patient. */
  readonly early = new Map<Place, EarlyLists>();
  /** Parts of this execution that come later. */
  readonly deferred: DeferredPart[] = [];
  /** Number of parts of the whole answer. */
  readonly #parts: { count: number };
  readonly #info: RunInfo;
  readonly #arguments = new Map<ResolvedField, Record<string, unknown>>();
  /** Subgraphs of errors on their way to a field that may be null. */
  #services: Map<GraphQLError, ServiceName> | undefined;

  /** Values that the resolvers of each subgraph have promised. */
  readonly #promised: Record<ServiceName, number> = { clinical: 0, imaging: 0 };
  /** Steps that begin when a subgraph has given all values. */
  #waiting: Map<ServiceName, (() => void)[]> | undefined;

  constructor(context: RunContext, info: RunInfo, parts = { count: 0 }) {
    this.context = context;
    this.budget = context.budget;
    this.#info = info;
    this.#parts = parts;
  }

  /**
   * Begins a part that comes later, as an execution of its own: this one does not wait for what it waits for.
   * @throws Fault `too_large` for too many parts
   */
  defer({ label, names, place, write }: Deferred): void {
    if (++this.#parts.count > MOST_PARTS) {
      const message = `The answer would come in more than ${MOST_PARTS} parts: use @defer outside of lists.`;
      throw new Fault('too_large', message);
    }
    const run = new Run({ ...this.context, partial: [] }, this.#info, this.#parts);
    // The first part of the answer is written before it.
    const text = setImmediate().then(() => write({ ...place, run, steps: undefined }));
    // It may fail before it is awaited.
    text.catch(() => undefined);
    this.deferred.push({ label, path: responsePathAsArray(pathOf(place)), names, run, text });
  }

  /** Returns the arguments of a field, the same for each object that has it. @throws GraphQLError */
  argumentsOf(field: ResolvedField): Record<string, unknown> {
    const { variableValues } = this.#info;
    if (!field.takesVariables) return field.argumentsIn(variableValues);
    let values = this.#arguments.get(field);
    if (!values) this.#arguments.set(field, (values = field.argumentsIn(variableValues)));
    return values;
  }

  /** Returns what the resolver of a field is told (GraphQL.js `GraphQLResolveInfo`). */
  infoOf({ fieldName, nodes, parent, type }: ResolvedField, path: Path): GraphQLResolveInfo {
    const { schema, fragments, operation, variableValues } = this.#info;
    return {
      fieldName,
      fieldNodes: nodes,
      parentType: parent,
      returnType: type,
      path,
      schema,
      fragments,
      rootValue: undefined,
      operation,
      variableValues,
    };
  }

  /** Uses a value when its subgraph gives it. */
  whenGiven<T>(
    service: ServiceName,
    value: Promise<unknown>,
    use: (value: unknown) => T | Promise<T>,
  ): Promise<T> {
    this.#promised[service]++;
    return value.then(
      (given) => {
        // Values that are promised within it are counted before it counts as given.
        try {
          return use(given);
        } finally {
          this.#given(service);
        }
      },
      (error: unknown) => {
        this.#given(service);
        throw error;
      },
    );
  }

  /**
   * Resolves when a subgraph has given all values that it has promised, for all who wait at once: the steps from its
   * objects to the other subgraph are then taken together, and become one search instead of one for each object.
   */
  async allGiven(service: ServiceName): Promise<void> {
    if (this.#promised[service] === 0) return;
    this.#waiting ??= new Map();
    const waiting = this.#waiting.get(service) ?? [];
    this.#waiting.set(service, waiting);
    await new Promise<void>((resolve) => void waiting.push(resolve));
  }

  #given(service: ServiceName): void {
    if (--this.#promised[service] > 0) return;
    const waiting = this.#waiting?.get(service) ?? [];
    this.#waiting?.delete(service);
    for (const begin of waiting) begin();
  }

  /**
   * Takes an error of a field, or of an item of a list: what may be null becomes null.
   * @throws GraphQLError where null is not allowed: the field around it fails (GraphQL §6.4.4)
   */
  failed(thrown: unknown, { field, place, isNonNull }: Failed): string {
    const error = locatedError(thrown, field.nodes, responsePathAsArray(pathOf(place)));
    const service = this.#services?.get(error) ?? field.service;
    if (isNonNull) {
      (this.#services ??= new Map()).set(error, service);
      throw error;
    }
    this.errors.push({ error, service });
    this.#forgetBelow(responsePathAsArray(pathOf(place)));
    return 'null';
  }

  /**
   * Returns the errors of data that were given only in part. Those of parts that come later are passed on to them: one fetch
   * brings the data of all.
   */
  ownPartial(): readonly GraphQLError[] {
    return this.context.partial.filter((error) => {
      const { path = [] } = error;
      const later = this.deferred.find(
        (part) => isWithin(path, part.path) && part.names.has(String(path[part.path.length])),
      );
      later?.run.context.partial.push(error);
      return !later;
    });
  }

  /** Forgets the parts of objects that are null now. */
  #forgetBelow(path: readonly (string | number)[]): void {
    for (let index = this.deferred.length - 1; index >= 0; index--) {
      if (isWithin(this.deferred[index]!.path, path)) this.deferred.splice(index, 1);
    }
  }
}

type Keys = readonly (string | number)[];

const isWithin = (path: Keys, around: Keys): boolean => around.every((key, index) => path[index] === key);
