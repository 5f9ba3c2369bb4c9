/** Records of our gateway from answers that are not whole. */
import { expect, test } from 'vitest';
import { Transport } from '../transport.ts';
import { GraphRecords } from './graph-source.ts';

const TENANT = 'https://gateway.example/demo';

test('allergies that did not arrive are unknown, not absent', async () => {
  const answer = {
    data: { Patient: { id: 'p1', AllergyIntoleranceList: null, ConditionList: [] } },
    errors: [{ message: 'no', path: ['Patient', 'AllergyIntoleranceList'] }],
  };
  const credentials = { token: async () => 'secret', renew: async () => false };
  const fetch = async () => Response.json(answer);
  const source = new GraphRecords(TENANT, new Transport([TENANT], { credentials, fetch }));
  const { allergies, problems, missing } = await source.record('p1', new AbortController().signal);
  expect([allergies, problems]).toEqual([undefined, []]);
  expect(missing).toEqual([{ part: 'record', message: expect.any(String) as string }]);
});
