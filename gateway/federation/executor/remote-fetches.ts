import DataLoader from 'dataloader';
import { responsePathAsArray, type GraphQLFormattedError, type GraphQLResolveInfo } from 'graphql';
import type { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { FetchedError } from '../subgraphs/local-data-source.ts';
import type { RemoteSubgraph } from '../subgraphs/remote-data-source.ts';
import type { RequestScope } from '../request/request-scope.ts';
import type { ServiceName } from '../request/service-name.ts';
import { ADDED } from './crossing.ts';
import type { RunContext } from './run.ts';

/**
 * A part of an operation that one subgraph answers at once, in another process: fields of the root, or of an entity, with
 * all below them up to the next step to the other subgraph.
 */
export interface Region {
  service: ServiceName;
  /** The document of its fetch. */
  query: string;
  /** Names of the variables in it. */
  variables: readonly string[];
}

/** The answer of a subgraph to a fetch. */
interface Fetched {
  data?: Record<string, unknown> | null;
  errors?: readonly GraphQLFormattedError[];
  /** Fields that its lists have charged to the limit of an answer. */
  spent?: number;
}

type ErrorPath = readonly (string | number)[];

/** An entity, and the errors below it, with their paths from it. */
interface Entity {
  value: unknown;
  errors: readonly GraphQLFormattedError[];
}

/** The object that a step leads from. */
interface Step {
  reference: object;
  /** Of the object. */
  path: GraphQLResolveInfo['path'];
  context: object;
}

export interface FetchOptions {
  subgraphs: Readonly<Record<ServiceName, RemoteSubgraph>>;
  scope: RequestScope;
  /** As the client sent them. */
  variables: Readonly<Record<string, unknown>>;
  /** Of the answer: all its fetches are charged to it. */
  budget: AnswerBudget;
}

/** The fetches of one execution, each once. Entities that are asked for together are one fetch. */
export class RemoteFetches {
  readonly #options: FetchOptions;
  readonly #roots = new Map<Region, Promise<Record<string, unknown>>>();
  readonly #entities = new Map<Region, DataLoader<object, Entity, string>>();
  /** Errors of what steps need, by their paths as JSON. Clients see them where the steps lead to. */
  readonly #unread = new Map<string, FetchedError>();

  constructor(options: FetchOptions) {
    this.#options = options;
  }

  /** Fetches fields of the root; their errors are added to the context. @throws FetchedError when the fetch failed */
  root(region: Region, context: object): Promise<Record<string, unknown>> {
    let data = this.#roots.get(region);
    if (!data) {
      data = this.#fetch(region).then(({ data, errors = [] }) => {
        requireGiven(data, errors);
        this.#addErrors(context, errors, []);
        return data ?? {};
      });
      this.#roots.set(region, data);
    }
    return data;
  }

  /**
   * Fetches an entity; errors below it are added to the context.
   * @returns undefined where there is none
   * @throws FetchedError when it could not be read: each field of it is null for that
   */
  async entity(region: Region, { reference, path, context }: Step): Promise<unknown> {
    let loader = this.#entities.get(region);
    if (!loader) {
      loader = new DataLoader((references) => this.#load(region, references), { cacheKeyFn: JSON.stringify });
      this.#entities.set(region, loader);
    }
    const { value, errors } = await loader.load(reference);
    requireGiven(value, errors);
    this.#addErrors(context, errors, responsePathAsArray(path));
    return value ?? undefined;
  }

  /** @throws FetchedError when a step cannot be taken from an object, because what it needs could not be read */
  requireRead(path: GraphQLResolveInfo['path'], name: string): undefined {
    const error = this.#unread.get(JSON.stringify([...responsePathAsArray(path), name]));
    if (error) throw error;
  }

  #addErrors(context: object, errors: readonly GraphQLFormattedError[], at: ErrorPath): void {
    const { partial } = context as RunContext;
    for (const error of errors) {
      const path = [...at, ...(error.path ?? [])];
      const last = path.at(-1);
      if (typeof last === 'string' && last.startsWith(ADDED))
        this.#unread.set(JSON.stringify(path), fetchedError(error));
      else partial.push(fetchedError(error, path));
    }
  }

  async #load(region: Region, references: readonly object[]): Promise<Entity[]> {
    const { data, errors = [] } = await this.#fetch(region, { representations: references });
    const values = (data?.['_entities'] ?? []) as readonly unknown[];
    // An error without a path is that of the whole fetch.
    const ofAll = errors.filter(({ path = [] }) => path.length < 2).map((error) => ({ ...error, path: [] }));
    return references.map((_, index) => ({
      value: values[index],
      errors: [
        ...ofAll,
        ...errors.flatMap(({ path, ...error }) =>
          path?.[1] === index ? [{ ...error, path: path.slice(2) }] : [],
        ),
      ],
    }));
  }

  /** @throws Fault `too_large` where other fetches have used up the limit of the answer (FG-12) */
  async #fetch({ service, query, variables }: Region, more: Record<string, unknown> = {}): Promise<Fetched> {
    const { subgraphs, scope, variables: sent, budget } = this.#options;
    budget.requireNotExceeded();
    const named = variables.filter((name) => Object.hasOwn(sent, name));
    const values = Object.fromEntries(named.map((name) => [name, sent[name]]));
    const fetched: Fetched = await subgraphs[service].fetch(scope, {
      query,
      variables: { ...values, ...more },
    });
    if (fetched.data === undefined) throw new Error(`The ${service} subgraph gave no data.`);
    budget.charge(fetched.spent ?? 0);
    return fetched;
  }
}

/** The context of an execution whose subgraphs are other processes. */
export interface RemoteContext extends RunContext {
  fetches: RemoteFetches;
}

export const fetchesOf = (context: object): RemoteFetches => (context as RemoteContext).fetches;

/** @throws FetchedError without a path: it is the error of each field that was asked for */
function requireGiven(value: unknown, [first]: readonly GraphQLFormattedError[]): void {
  if (first && (value ?? null) === null) throw fetchedError(first);
}

function fetchedError({ message, extensions }: GraphQLFormattedError, path: ErrorPath = []): FetchedError {
  return new FetchedError(message, { ...(path.length > 0 && { path }), ...(extensions && { extensions }) });
}
