import { describe, expect, test } from 'vitest';
import { Fault } from '../fault/fault.ts';
import { measuredFetch, observed, type MeasureCall, type SourceCall } from './source-calls.ts';

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

  test('and explained, with what it found, for a request that wants that', async () => {
    const calls: SourceCall[] = [];
    const asked = {
      kind: 'store',
      source: () => 'clinical (store)',
      request: () => 'search',
      found: (rows: number[]) => rows.length,
    } as const;
    await observed({ calls: (call) => calls.push(call) }, asked, async () => [1, 2]);
    await expect(
      observed({ calls: (call) => calls.push(call) }, asked, () => Promise.reject(AWAY)),
    ).rejects.toBe(AWAY);
    expect(calls).toMatchObject([
      { source: 'clinical (store)', request: 'search', found: 2 },
      { source: 'clinical (store)', request: 'search', error: 'unavailable' },
    ]);
  });
});

const unasked = (): string => {
  throw new Error('No text is made for a call that is only measured.');
};

test.each<[outcome: string, answer: () => Promise<Response>]>([
  ['ok', async () => new Response(null, { status: 401 })],
  ['bad_gateway', async () => new Response(null, { status: 502 })],
  ['unavailable', () => Promise.reject(new TypeError('fetch failed'))],
  ['ended', () => Promise.reject(LEFT)],
])('a call to an EHR is measured as %s', async (outcome, answer) => {
  const { measured, measure } = measures();
  await Promise.allSettled([measuredFetch(answer, measure)('http://ehr.invalid')]);
  expect(measured).toEqual(['ehr begins', `ehr ${outcome}`]);
});
