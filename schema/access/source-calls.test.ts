import { describe, expect, test } from 'vitest';
import { Fault } from '../fault/fault.ts';
import { measuredRequest, observed, untold, type MeasureCall, type SourceCall } from './source-calls.ts';

const AWAY = new Fault('unavailable', 'The archive is away.');
const LEFT = new DOMException('The client has left.', 'AbortError');

/** Collects kind and outcome of measured calls. */
function measures(): { measured: string[]; measure: MeasureCall } {
  const measured: string[] = [];
  return {
    measured,
    measure: ({ kind }) => ({
      run(work) {
        measured.push(`${kind} begins`);
        return work();
      },
      end: (outcome) => measured.push(`${kind} ${outcome}`),
    }),
  };
}

describe('a call to a source is measured by its outcome:', () => {
  test.each<[outcome: string, work: () => Promise<string>]>([
    ['ok', async () => 'rows'],
    ['unavailable', () => Promise.reject(AWAY)],
    ['ended', () => Promise.reject(LEFT)],
    ['internal', () => Promise.reject(new TypeError('of nothing'))],
  ])('%s', async (outcome, work) => {
    const { measured, measure } = measures();
    const asked = { kind: 'folder', source: unasked, request: unasked } as const;
    const [given] = await Promise.allSettled([observed({ measure }, asked, work)]);
    const [own] = await Promise.allSettled([work()]);
    expect(given).toEqual(own);
    expect(measured).toEqual(['folder begins', `folder ${outcome}`]);
  });

  test('and explained for a request that wants that, unless it is not to be told', async () => {
    const told: SourceCall[] = [];
    const { measured, measure } = measures();
    const observers = { measure, calls: (call: SourceCall) => told.push(call) };
    const asked = { kind: 'store', source: () => 'clinical (store)', request: () => 'search' } as const;
    await observed(observers, asked, async () => [1, 2]);
    await expect(observed(observers, asked, () => Promise.reject(AWAY))).rejects.toBe(AWAY);
    await observed(untold(observers), asked, async () => [1, 2]);
    const call = {
      source: 'clinical (store)',
      request: 'search',
      began: expect.any(Number) as number,
      milliseconds: expect.any(Number) as number,
    };
    expect(told).toEqual([call, { ...call, error: 'unavailable' }]);
    expect(measured.filter((one) => one.endsWith('begins'))).toHaveLength(3);
  });
});

const unasked = (): string => {
  throw new Error('No text is made for a call that is only measured.');
};

test.each<[outcome: string, answer: () => Promise<{ statusCode: number }>]>([
  ['ok', async () => ({ statusCode: 401 })],
  ['bad_gateway', async () => ({ statusCode: 502 })],
  ['unavailable', () => Promise.reject(new TypeError('fetch failed'))],
  ['ended', () => Promise.reject(LEFT)],
])('a call to an EHR is measured as %s', async (outcome, answer) => {
  const { measured, measure } = measures();
  await Promise.allSettled([measuredRequest(measure, 'GET', answer)]);
  expect(measured).toEqual(['ehr begins', `ehr ${outcome}`]);
});
