/** Errors of an answer in words: what is wrong, where, how often, and what to do. */
import type { FaultCode } from '../../../../schema/fault/fault.ts';
import type { Answer } from '../answer.ts';
import { isNothing } from './lists.ts';

export interface Problem {
  message: string;
  /** Of the gateway (`extensions.code`); undefined if it gave none. */
  code: string | undefined;
  /** Fields of the answer, without the places in lists. */
  paths: string[];
  count: number;
  /** Empty where the message has it. */
  remedy: string;
}

const AGAIN = 'Run the query again in a moment';
const SIGN_IN = 'Sign in again, or paste a new token; then run the query again: it is kept.';
const CORRECT = 'Correct the query or its variables; the editor underlines what the schema does not have.';
const FAULT = 'This is an error of the server. Run the query again; if it stays, tell who runs the server.';
const REMEDIES: Readonly<Partial<Record<FaultCode, string>>> = {
  invalid_request: CORRECT,
  unsupported_parameter: 'Leave this argument out, or ask in another way: the source cannot apply it.',
  unauthenticated: SIGN_IN,
  invalid_token: SIGN_IN,
  insufficient_scope: 'Leave this field out, or sign in again and allow more.',
  forbidden: 'Leave this field out: the token does not open it.',
  not_found: 'Check the id: it does not exist, or the token does not open it.',
  gone: 'Check the id: it was deleted.',
  too_large: 'Ask for less: fewer fields, a smaller _count, or page by page with _cursor.',
  too_many_requests: 'Wait a moment, then run the query again.',
  not_implemented: 'Leave this field out: the server does not have it.',
  internal: FAULT,
  bad_gateway: AGAIN,
  unavailable: AGAIN,
  gateway_timeout: AGAIN,
};

/** Returns the errors of an answer, equal ones once. */
export function problemsOf({ json, status }: Answer): Problem[] {
  if (!json)
    return [
      {
        code: undefined,
        paths: [],
        count: 1,
        message: `The answer is no JSON (HTTP status ${status}).`,
        remedy: FAULT,
      },
    ];
  const problems = new Map<string, Problem>();
  for (const { message, path = [], extensions } of json.errors ?? []) {
    const code = typeof extensions?.['code'] === 'string' ? extensions['code'] : undefined;
    const key = `${code} ${message}`;
    const problem = problems.get(key) ?? {
      message,
      code,
      paths: [],
      count: 0,
      remedy:
        typeof extensions?.['remedy'] === 'string'
          ? extensions['remedy']
          : remedyOf(code, status, !isNothing(json.data)),
    };
    const field = path.filter((step) => typeof step === 'string').join('.');
    if (field && !problem.paths.includes(field)) problem.paths.push(field);
    problem.count += typeof extensions?.['count'] === 'number' ? extensions['count'] : 1;
    problems.set(key, problem);
  }
  return [...problems.values()];
}

/**
 * @param status 0: the message is of the page, and the query is not the reason
 * @param isPart true if other parts of the answer came
 */
function remedyOf(code: string | undefined, status: number, isPart: boolean): string {
  if (status === 0) return '';
  const remedy = REMEDIES[code as FaultCode];
  if (remedy === AGAIN) return `${AGAIN}${isPart ? '; the rest of the answer is complete.' : '.'}`;
  return remedy ?? CORRECT;
}
