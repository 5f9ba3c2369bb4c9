import { expect, test } from 'vitest';
import { SingleFlight } from './single-flight.ts';

test('equal work at the same time is done once, other work for itself, and nothing is remembered', async () => {
  const flights = new SingleFlight<string>();
  let begun = 0;
  const work = async () => `result ${++begun}`;
  expect(await Promise.all([flights.run('a', work), flights.run('a', work), flights.run('b', work)])).toEqual(
    ['result 1', 'result 1', 'result 2'],
  );
  expect(await flights.run('a', work)).toBe('result 3');
});

test('all who wait see a failure, and the next begins anew', async () => {
  const flights = new SingleFlight<string>();
  const failing = () => Promise.reject(new Error('broken'));
  const both = await Promise.allSettled([flights.run('a', failing), flights.run('a', failing)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await flights.run('a', async () => 'well')).toBe('well');
});
