import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LONG } from './long.ts';
import { expectUnharmed, harmOf, startWatchedGateway, type Harm, type WatchedGateway } from './unharmed.ts';
import { longTest } from './usual-run.ts';

/** Started only for the long run. */
let gateway: WatchedGateway;
beforeAll(async () => {
  if (LONG) gateway = await startWatchedGateway();
});
afterAll(() => gateway?.stop());

const UNHARMED: Harm = { held: 3, wait: 5, waitBesideBurner: undefined, growth: 10, failures: 0 };

longTest('an idle gateway is unharmed', async () => {
  const harm = await harmOf(gateway, () => delay(500));
  expectUnharmed(harm);
  expect(harm.wait).toBeGreaterThan(0);
});

longTest('a gateway that is stopped for a while shows a long wait and a blocked event loop', async () => {
  const harm = await harmOf(gateway, async () => {
    process.kill(gateway.pid, 'SIGSTOP');
    await delay(400);
    process.kill(gateway.pid, 'SIGCONT');
    await delay(100);
  });
  expect(harm.wait).toBeGreaterThan(300);
  expect(harm.held).toBeGreaterThan(300);
});

test.each<[string, Partial<Harm>]>([
  ['a blocked event loop', { held: 51 }],
  ['a long wait', { wait: 101 }],
  ['a wait more than twice that beside a CPU burner', { wait: 241, waitBesideBurner: 120 }],
  ['memory', { growth: 351 }],
  ['a failed request', { failures: 1 }],
])('%s is harm', (_, harm) => {
  expect(() => expectUnharmed({ ...UNHARMED, ...harm })).toThrow();
});

test('a wait that a CPU burner causes too is no harm', () => {
  expectUnharmed({ ...UNHARMED, wait: 230, waitBesideBurner: 120 });
});
