import { HeaderMap, type GraphQLResponse } from '@apollo/server';
import type { LaterParts, PartOfAnswer } from '../executor/deferred-parts.ts';
import type { WrittenData } from '../executor/written-data.ts';
import type { RequestScope } from '../request/request-scope.ts';
import { finishAnswer } from './tenant-rules.ts';

/**
 * The forms of incremental delivery (FG-22): that of the specification's draft of 2022-08-24, which Apollo Client 3 and urql
 * speak, and the later one with `pending` and `completed`, which Apollo Client 4 speaks.
 */
type Form = 'deferSpec=20220824' | 'incrementalSpec=v0.2';

/** Returns the form that a client asks for by `Accept`; undefined for one that wants the whole answer at once. */
export function incrementalForm(accept: string | undefined): Form | undefined {
  const [, parameters] = /multipart\/mixed([^,]*)/i.exec(accept ?? '') ?? [];
  if (parameters === undefined) return undefined;
  return /incrementalSpec="?v0\.2/i.test(parameters) ? 'incrementalSpec=v0.2' : 'deferSpec=20220824';
}

/** Returns `Accept` with a form for a client that names `multipart/mixed` without one, as urql does. */
export const withIncrementalForm = (accept: string): string =>
  accept.replace(/multipart\/mixed(?=\s*(,|$|;\s*q=))/i, 'multipart/mixed;deferSpec=20220824');

interface Begun {
  data: WrittenData | null;
  errors: PartOfAnswer['errors'];
  later: LaterParts;
}

/** Returns the response with the first part of an answer, and the others as they come. */
export function incrementalResponse(
  { data, errors, later }: Begun,
  scope: RequestScope,
  form: Form,
): GraphQLResponse {
  const isLatest = form === 'incrementalSpec=v0.2';
  const first = { ...(errors.length > 0 && { errors }), data };
  finishAnswer(first, scope);
  const pending = isLatest && { pending: later.announced };
  const initialResult = { ...first, ...pending, hasNext: true };
  return {
    http: { status: undefined, headers: new HeaderMap() },
    body: {
      kind: 'incremental',
      initialResult,
      subsequentResults: results(later.parts, scope, isLatest),
    } as GraphQLResponse['body'],
  };
}

async function* results(all: LaterParts['parts'], scope: RequestScope, isLatest: boolean) {
  for await (const { parts, announced, hasNext } of all) {
    const incremental = parts.map(({ id, label, path, data, errors }) => {
      const part = { ...(errors.length > 0 && { errors }), data };
      finishAnswer(part, scope);
      return isLatest ? { id, ...part } : { ...part, label, path };
    });
    const completed = isLatest && { completed: parts.map(({ id }) => ({ id })) };
    const pending = isLatest && announced.length > 0 && { pending: announced };
    yield { ...pending, incremental, ...completed, hasNext };
  }
}
