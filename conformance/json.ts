import type { Answer } from './client.ts';
import { Blocked } from './outcome.ts';

/** A JSON object of a server. Nothing is known of its members. */
export type Json = Readonly<Record<string, unknown>>;

/** Tells whether a value is a JSON object. */
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns the objects of a list; none if it is not a list. */
export const objectsOf = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** Returns the texts of a list; none if it is not a list. */
export const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/** Parses a body. @returns undefined if it is not JSON */
export function parsed({ body }: Answer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Returns the JSON object of an answer that another check judges.
 * @param what the answer, for the message
 * @throws Blocked if the status is not 200 or the body is not a JSON object
 */
export function objectOf(answer: Answer, what: string): Json {
  const value = parsed(answer);
  if (answer.status === 200 && isObject(value)) return value;
  throw new Blocked(`${what} answers ${answer.status} ${answer.type.essence}`);
}
