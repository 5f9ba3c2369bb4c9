import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { plainCounter } from './metric-counters.ts';

test('a plain counter counts by its labels, and gives each count to the metric once', async () => {
  const registry = new Registry();
  const options = { name: 'asked_total', help: 'Questions', labelNames: ['cache', 'result'] as const };
  const count = plainCounter({ ...options, registers: [registry] });
  const read = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('asked_total'));
  expect(await read()).toEqual([]);
  count('tokens', 'hit');
  count('tokens', 'hit');
  count('tokens', 'miss');
  const first = ['asked_total{cache="tokens",result="hit"} 2', 'asked_total{cache="tokens",result="miss"} 1'];
  expect(await read()).toEqual(first);
  expect(await read()).toEqual(first);
  count('tokens', 'miss');
  expect(await read()).toEqual([first[0], 'asked_total{cache="tokens",result="miss"} 2']);
});
