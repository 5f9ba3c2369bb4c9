import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { boundedCache } from '../../schema/cache/bounded-cache.ts';
import type { Access } from '../../schema/access/access.ts';
import { RequestValues } from '../../schema/process/request-values.ts';

/**
 * The processes call the process of the record several times for one request of a client. These calls have an id in common,
 * so that the EHR is asked the same only once (FG-6).
 */
const IDS = new RequestValues<Access, string>();

/** Returns the id of the work that is done with this Access; undefined if it shares nothing with other work. */
export function workOf(access: Access): string | undefined {
  return IDS.get(access);
}

/** Names the work that is done with an Access, which belongs to one request of a client alone. @returns the Access */
export function beginWork(access: Access): Access {
  if (IDS.get(access) === undefined) IDS.set(access, randomUUID());
  return access;
}

/** Lets an Access belong to the work with an id. @returns the Access */
export function continueWork(access: Access, id: string | undefined): Access {
  if (id !== undefined) IDS.set(access, id);
  return access;
}

/** Seconds after its last new answer for which the answers for a request are kept: nobody says when it is over. */
const KEPT_SECONDS = 5;
/** Resources that are kept for all requests. */
const MOST_RESOURCES = 20_000;

interface Kept<Answers> {
  answers: Answers;
  access: Access;
}

/**
 * Returns a function that gives the answers of the EHR to one request of a client: the same ones for all calls that belong to
 * it and have the same reach.
 * @param start returns an empty object for answers, which tells `onGrown` how many resources it has
 * @param now milliseconds since the epoch
 */
export function workAnswers<Answers>(
  start: (onGrown: (resources: number) => void) => Answers,
  now: () => number,
): (access: Access) => Answers | undefined {
  const works = boundedCache<Kept<Answers>>({
    size: MOST_RESOURCES,
    seconds: KEPT_SECONDS,
    purge: true,
    now,
  });
  return (access) => {
    const id = workOf(access);
    if (id === undefined) return undefined;
    const known = works.get(id);
    if (known && askForTheSame(known.access, access)) return known.answers;
    const answers: Answers = start((size) => {
      // A new object: the cache measures the same one only once.
      if (works.peek(id)?.answers === answers) works.set(id, { answers, access }, { size: size + 1 });
    });
    works.set(id, { answers, access }, { size: 1 });
    return answers;
  };
}

/** The answer of a source depends on the token and the patients. Scopes become part of the question, or are checked later. */
const askForTheSame = (one: Access, other: Access): boolean =>
  one.clinicalToken === other.clinicalToken && isDeepStrictEqual(one.patients, other.patients);
