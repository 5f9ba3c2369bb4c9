import type { Answer } from './client.ts';
import { DICOM_JSON, rowsOf } from './dicom-json.ts';
import { isObject, parsed, type Json } from './json.ts';
import { Deviation } from './outcome.ts';

type Head = Pick<Answer, 'status' | 'type' | 'headers'>;

/** Describes an answer in a few words. */
export const describe = ({ status, type }: Head): string =>
  `status ${status}, ${type.essence || 'no media type'}`;

/** @throws Deviation unless the status is one of these */
export function expectStatus(answer: Head, ...statuses: number[]): void {
  if (!statuses.includes(answer.status)) throw new Deviation(describe(answer));
}

/** @throws Deviation unless the status is 200 and the media type is one of these */
export function expectAnswer(answer: Head, ...types: string[]): void {
  if (answer.status !== 200 || !types.includes(answer.type.essence)) throw new Deviation(describe(answer));
}

/** Returns the JSON object of an answer. @throws Deviation unless it is one, with status 200 and this media type */
export function expectObject(answer: Answer, ...types: string[]): Json {
  expectAnswer(answer, ...types);
  const value = parsed(answer);
  if (!isObject(value)) throw new Deviation('the body is not a JSON object');
  return value;
}

/** Returns the objects of an answer in DICOM JSON. @throws Deviation unless it is a list of them, with status 200 */
export function expectRows(answer: Answer): Json[] {
  expectAnswer(answer, DICOM_JSON);
  if (!Array.isArray(parsed(answer))) throw new Deviation('the body is not a list');
  return rowsOf(answer);
}

/** @throws Deviation with all of these texts, if there are any */
export function expectNone(problems: readonly string[]): void {
  if (problems.length > 0) throw new Deviation([...new Set(problems)].join('; '));
}

/** @throws Deviation unless both lists are equal */
export function expectSame(found: readonly string[], wanted: readonly string[], what: string): void {
  const missing = wanted.filter((one) => !found.includes(one));
  const more = found.filter((one) => !wanted.includes(one));
  if (missing.length > 0) throw new Deviation(`${what}: ${missing.length} missing, such as ${missing[0]}`);
  if (more.length > 0) throw new Deviation(`${what}: ${more.length} too many, such as ${more[0]}`);
  if (found.length !== wanted.length)
    throw new Deviation(`${what}: ${found.length} instead of ${wanted.length}, some repeated`);
}

/** Returns the values of a header that is a list, in lower case. */
export const listed = (headers: Headers, name: string): string[] =>
  (headers.get(name) ?? '')
    .toLowerCase()
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== '');
