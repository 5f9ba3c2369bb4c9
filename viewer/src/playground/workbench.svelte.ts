import { Trouble } from '../data/trouble.ts';
import type { Answer, Asked, GraphqlAnswer } from './answer.ts';
import type { Access } from './sign-in/access.svelte.ts';

/** Sends queries to the tenant's graph, and keeps the last answer. */
export class Workbench {
  answer = $state.raw<Answer>();
  /** The text in the editor. */
  edited = $state.raw<Pick<Answer['asked'], 'query'> & { variables: string }>({ query: '', variables: '' });
  readonly #url: string;
  readonly #access: Access;
  #last = 0;

  constructor(base: string, access: Access) {
    this.#url = `${base}/graphql`;
    this.#access = access;
  }

  /**
   * Sends a query, with a renewed token if the server takes the first no more.
   * @returns the answer, or an object with an error in the form of GraphQL that says what to do
   */
  async send(asked: Asked, signal?: AbortSignal): Promise<GraphqlAnswer> {
    const turn = ++this.#last;
    try {
      const answer = await this.#answered(asked, signal);
      if (turn === this.#last) this.answer = answer;
      return answer.json ?? failure(`The answer is no JSON. HTTP status: ${answer.status}.`);
    } catch (error) {
      if (turn === this.#last) this.answer = undefined;
      if (signal?.aborted) return failure('Stopped.');
      return failure(
        error instanceof Trouble && error.kind === 'signed-out'
          ? 'The session has ended. Sign in again: the query is kept.'
          : 'The gateway does not answer. The query is kept: run it again.',
      );
    }
  }

  /** Forgets the answer: another person may come. */
  clear(): void {
    this.#last++;
    this.answer = undefined;
  }

  async #answered(asked: Asked, signal: AbortSignal | undefined): Promise<Answer> {
    const token = await this.#access.token();
    const began = performance.now();
    let response = await this.#once(asked, token, signal);
    if (response.status === 401 && token !== undefined && (await this.#access.renew(token)))
      response = await this.#once(asked, await this.#access.token(), signal);
    const text = await response.text();
    const milliseconds = performance.now() - began;
    const bytes = new TextEncoder().encode(text).length;
    return { asked, status: response.status, milliseconds, bytes, text, json: jsonOf(text) };
  }

  #once(asked: Asked, token: string | undefined, signal: AbortSignal | undefined): Promise<Response> {
    return fetch(this.#url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(asked),
      signal: signal ?? null,
      ...{ cache: 'no-store', credentials: 'same-origin', referrerPolicy: 'no-referrer' },
    });
  }
}

function failure(message: string): GraphqlAnswer {
  return { errors: [{ message }] };
}

function jsonOf(text: string): GraphqlAnswer | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}
