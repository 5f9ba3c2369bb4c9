/** Tells if two gateways give the same answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { request } from 'undici';
import type { Posted } from '../distinct-patients.ts';

export interface Answered {
  status: number;
  text: string;
  data: unknown;
  /** Number of errors. */
  errors: number;
  /** Paths of the errors, or of the first ones; texts and codes are each gateway's own. */
  paths: readonly string[];
}

/** An error of an answer. Our gateway writes equal errors beyond 100 as one, with their number. */
interface WrittenError {
  path?: unknown;
  extensions?: { count?: number };
}

/** Posts a request and reads the answer. */
export async function answeredBy(url: string, { headers, body }: Posted): Promise<Answered> {
  const answer = await request(url, { method: 'POST', headers, body });
  const text = await answer.body.text();
  const { data = null, errors = [] } = JSON.parse(text) as { data?: unknown; errors?: WrittenError[] };
  return {
    status: answer.statusCode,
    text,
    data,
    errors: errors.reduce((sum, { extensions }) => sum + (extensions?.count ?? 1), 0),
    paths: errors.map(({ path }) => JSON.stringify(path)),
  };
}

/** Tells if our answer has the same data as another, and errors at the same places. */
export function isSameAnswer(own: Answered, other: Answered): boolean {
  return (
    own.status === 200 &&
    other.status === 200 &&
    isDeepStrictEqual(own.data, other.data) &&
    own.errors === other.errors &&
    own.paths.every((path) => other.paths.includes(path))
  );
}

/** Checks that our gateway and another one answer each request alike. @throws for the first that differs */
export async function requireSameAnswers(
  [ours, other]: readonly [string, string],
  posted: readonly Posted[],
): Promise<void> {
  for (const one of posted) {
    const own = await answeredBy(ours, one);
    const theirs = await answeredBy(other, one);
    if (!isSameAnswer(own, theirs))
      throw new Error(`Another answer than ours to ${one.body}: ${theirs.text.slice(0, 300)}`);
  }
}

/** Sends a request until its answer has a text: images that were just written are not indexed at once. */
export async function untilAnswered(url: string, posted: Posted, text: string): Promise<void> {
  let last = '';
  for (let attempt = 0; attempt < 600; attempt++) {
    last = (await answeredBy(url, posted)).text;
    if (last.includes(text)) return;
    await sleep(200);
  }
  throw new Error(`${url} did not answer with ${text} within two minutes: ${last.slice(0, 500)}`);
}
