import { parseFhirJson, withPlainNumbers } from '../../../schema/fhir/decimal.ts';
import { Trouble } from '../data/trouble.ts';
import { ANY_PATIENT, variablesIn, type Answer, type Asked, type GraphqlAnswer } from './answer.ts';
import { explainedIn, type Explained } from './cost/explained.ts';
import type { ReadRows, RowReader } from './results/all-rows.ts';
import type { Access } from './sign-in/access.svelte.ts';

/** Sends queries to the tenant's graph, and keeps the last answer. */
export class Workbench {
  answer = $state.raw<Answer>();
  /** True while a query waits for its answer: the last one is of another query. */
  isRunning = $state(false);
  /** Says what the server makes first, while the page asks again by itself; empty if nothing waits. */
  waiting = $state('');
  /** The text in the editor. */
  edited = $state.raw<Pick<Answer['asked'], 'query'> & { variables: string }>({ query: '', variables: '' });
  /** The cost of the edited query; undefined while it is not known. */
  cost = $state.raw<Explained>();
  /** True if plan and calls of the next query shall be told. */
  isExplained = $state(false);
  readonly #base: string;
  readonly #access: Access;
  #last = 0;

  constructor(base: string, access: Access) {
    this.#base = base;
    this.#access = access;
  }

  /** The answer, if no other one is waited for. */
  get settled(): Answer | undefined {
    return this.isRunning || this.waiting ? undefined : this.answer;
  }

  /**
   * Sends a query.
   * @returns the answer, or an object with an error in the form of GraphQL that says what to do
   */
  async send(asked: Asked): Promise<GraphqlAnswer> {
    const answer = await this.#ask(asked, '/graphql', postOf(asked, this.isExplained ? 'run' : undefined));
    // The editor shows JavaScript's numbers.
    if (answer.json) return withPlainNumbers(answer.json) as GraphqlAnswer;
    return failure(`The answer is no JSON. HTTP status: ${answer.status}.`);
  }

  /** Asks what the edited query costs. One that is no valid query has no cost. */
  async weigh(): Promise<void> {
    const { query, variables } = this.edited;
    const asked = { query, variables: variablesIn(variables) ?? {} };
    const answer = await this.#answered(asked, '/graphql', postOf(asked, 'cost')).catch(() => undefined);
    if (this.edited.query === query && this.edited.variables === variables)
      this.cost = explainedIn(answer?.json?.extensions);
  }

  /** Reads by REST. The answer is shown as that of a query with one field. @param path below the tenant */
  async read(path: string): Promise<void> {
    await this.#ask({ query: `GET ${path}`, variables: {} }, path, { method: 'GET' });
  }

  /**
   * Reads all rows of a list of an answer as a file.
   * @throws Error that says why there is no file: a part must not pass for all
   */
  readonly readRows: ReadRows = async (of, saving) => {
    const { readAllRows } = await import('./results/all-rows.ts');
    return readAllRows({ stream: this.#stream, page: this.#page }, of, saving);
  };

  /** Returns the id of one of the patients that a token for several opens; undefined if it opens none. */
  async anyPatient(): Promise<string | undefined> {
    const asked = { query: ANY_PATIENT, variables: {} };
    const answer = await this.#answered(asked, '/graphql', postOf(asked)).catch(() => undefined);
    const found = answer?.json?.data?.['PatientList'] as readonly { id?: string }[] | null | undefined;
    return found?.[0]?.id;
  }

  /** Forgets the answer: another person may come. */
  clear(): void {
    this.#last++;
    this.answer = undefined;
    this.isRunning = false;
    this.waiting = '';
    this.cost = undefined;
  }

  readonly #stream: RowReader['stream'] = async (asked, accept, signal) => {
    const headers = { accept, 'content-type': 'application/json' };
    const request = { ...postOf(asked), headers, cache: 'no-store', signal } as const;
    const response = await this.#access.fetch(`${this.#base}/graphql`, request).catch((error: unknown) => {
      throw new Error(whyUnanswered(error));
    });
    if (response.ok) return response;
    const [error] = jsonOf(await response.text())?.errors ?? [];
    throw new Error(error?.message ?? `The server sent no rows. HTTP status: ${response.status}.`);
  };

  readonly #page: RowReader['page'] = async (asked, signal) => {
    const isQuery = typeof asked !== 'string';
    // The token goes to no other place than this tenant.
    if (!isQuery && /^https?:/.test(asked) && !asked.startsWith(`${this.#base}/`))
      throw new Error('The next page is on another server.');
    const path = isQuery ? '/graphql' : asked.replace(this.#base, '');
    const request = { ...(isQuery ? postOf(asked) : { method: 'GET' }), signal };
    const about = isQuery ? asked : { query: `GET ${path}`, variables: {} };
    const answer = await this.#answered(about, path, request).catch((error: unknown) => {
      throw new Error(whyUnanswered(error));
    });
    return answer.json;
  };

  async #ask(asked: Asked, path: string, request: RequestInit): Promise<Answer> {
    const turn = ++this.#last;
    this.isRunning = true;
    const answer = await this.#answered(asked, path, request).catch((error: unknown) =>
      unanswered(asked, whyUnanswered(error)),
    );
    if (turn !== this.#last) return answer;
    this.answer = answer;
    this.isRunning = false;
    return answer;
  }

  async #answered(asked: Asked, path: string, request: RequestInit): Promise<Answer> {
    const began = performance.now();
    const response = await this.#access.fetch(`${this.#base}${path}`, {
      ...request,
      headers: {
        accept: path === '/graphql' ? 'application/json' : 'application/fhir+json',
        ...(request.body && { 'content-type': 'application/json' }),
      },
      cache: 'no-store',
    });
    const text = await response.text();
    const milliseconds = performance.now() - began;
    const bytes = new TextEncoder().encode(text).length;
    return { asked, status: response.status, milliseconds, bytes, text, json: jsonOf(text) };
  }
}

/** Says why there is no answer. Nothing of the query is lost. Why the token is gone is said once, beside "Sign in again". */
function whyUnanswered(error: unknown): string {
  return error instanceof Trouble && error.kind === 'signed-out'
    ? 'Without a token there is no answer. The query is kept.'
    : 'The gateway does not answer. The query is kept: run it again.';
}

function unanswered(asked: Asked, message: string): Answer {
  return { asked, status: 0, milliseconds: 0, bytes: 0, text: message, json: failure(message) };
}

/** @param explain `cost`: nothing is executed */
function postOf(asked: Asked, explain?: 'cost' | 'run'): RequestInit {
  return { method: 'POST', body: JSON.stringify({ ...asked, ...(explain && { extensions: { explain } }) }) };
}

function failure(message: string): GraphqlAnswer {
  return { errors: [{ message }] };
}

function jsonOf(text: string): GraphqlAnswer | undefined {
  try {
    const json = parseFhirJson(text);
    if (typeof json !== 'object' || json === null) return undefined;
    return 'resourceType' in json ? { data: { [String(json.resourceType)]: json } } : json;
  } catch {
    return undefined;
  }
}
