import { expect, it } from 'vitest';
import { answerBatch, type EntryAnswer } from './batch.ts';

/** Runs a batch of this many entries. @param answer body of the answer to each entry */
async function run(entries: number, answer: string, signal = new AbortController().signal) {
  let running = 0;
  let most = 0;
  const send = async (): Promise<EntryAnswer> => {
    most = Math.max(most, ++running);
    await new Promise((done) => setTimeout(done, 1));
    running--;
    return { status: 200, headers: { 'content-type': 'application/fhir+json' }, body: answer };
  };
  const entry = Array.from({ length: entries }, () => ({ request: { method: 'GET', url: 'Patient/1' } }));
  const options = { path: '/t/fhir', base: 'http://x/t/fhir', send, signal };
  const text = await answerBatch({ resourceType: 'Bundle', type: 'batch', entry }, options);
  const statuses = [...text.matchAll(/"response":\{"status":"(\d+)"/g)].map(([, status]) => status);
  return { most, statuses };
}

it('FG-12 four entries run at the same time', async () => {
  expect(await run(12, '{}')).toEqual({ most: 4, statuses: Array.from({ length: 12 }, () => '200') });
});

it('FG-12 entries after 32 MB of answers are refused', async () => {
  const { statuses } = await run(6, JSON.stringify('x'.repeat(10 * 1024 * 1024)));
  expect(statuses).toEqual(['200', '200', '200', '413', '413', '413']);
});

it('nothing is answered when the client has left', async () => {
  const left = AbortSignal.abort(new Error('left'));
  await expect(run(2, '{}', left)).rejects.toThrow('left');
});
