import { expect, test } from 'vitest';
import type { Access } from '../../schema/access/access.ts';
import { beginWork, continueWork, workAnswers, workOf } from './shared-work.ts';

const accessTo = (...ids: string[]): Access => ({
  tenant: 't',
  permissions: [],
  expires: 1,
  clinicalToken: 'token',
  patients: ids.map((id) => ({ id })),
});
let now = 1_790_000_000_000;

const answersOfWork = () =>
  workAnswers(
    (onGrown) => ({ onGrown }),
    () => now,
  );

/** An Access as it arrives with a call that belongs to the work of another one. */
const arrived = (of: Access, access = accessTo('p1')) => continueWork(access, workOf(of));

test('FG-6 the calls for one request share answers, those of two requests do not', () => {
  const answersOf = answersOfWork();
  const [one, other] = [beginWork(accessTo('p1')), beginWork(accessTo('p1'))];
  const answers = answersOf(arrived(one))!;
  expect(answersOf(arrived(one))).toBe(answers);
  expect(answersOf(arrived(other))).not.toBe(answers);
  expect(answersOf(accessTo('p1'))).toBeUndefined();
});

test.each<[string, Access]>([
  ['other patients', accessTo('p2')],
  ['more patients', accessTo('p1', 'p2')],
  ['all patients', { ...accessTo(), patients: 'all' }],
  ['another token', { ...accessTo('p1'), clinicalToken: 'another' }],
])('an Access with %s shares no answers', (_what, wider) => {
  const answersOf = answersOfWork();
  const one = beginWork(accessTo('p1'));
  const answers = answersOf(arrived(one));
  expect(answersOf(arrived(one, wider))).not.toBe(answers);
});

test('a copy of an Access, which may reach more, belongs to no work', () => {
  const one = beginWork(accessTo('p1'));
  expect(workOf({ ...one, patients: 'all' })).toBeUndefined();
});

test('answers are kept for five seconds, and 20,000 resources of all requests', () => {
  const answersOf = answersOfWork();
  const works = [1, 2, 3].map(() => beginWork(accessTo('p1')));
  const kept = works.map((work) => answersOf(arrived(work))!);
  for (const { onGrown } of kept) onGrown(8_000);
  expect(works.map((work, at) => answersOf(arrived(work)) === kept[at])).toEqual([false, true, true]);
  now += 6_000;
  expect(answersOf(arrived(works[2]!))).not.toBe(kept[2]);
});
