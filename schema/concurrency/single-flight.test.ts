import { expect, test } from 'vitest';
import { SingleFlight } from './single-flight.ts';

test('runs work with the same key once at a time, and remembers no result', async () => {
  const flights = new SingleFlight<string>();
  let begun = 0;
  const work = async () => `result ${++begun}`;
  expect(await Promise.all([flights.run('a', work), flights.run('a', work), flights.run('b', work)])).toEqual(
    ['result 1', 'result 1', 'result 2'],
  );
  expect(await flights.run('a', work)).toBe('result 3');
});

test('passes a failure to all callers that wait, and runs the work again for the next', async () => {
  const flights = new SingleFlight<string>();
  const failing = () => Promise.reject(new Error('broken'));
  const both = await Promise.allSettled([flights.run('a', failing), flights.run('a', failing)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await flights.run('a', async () => 'well')).toBe('well');
});
