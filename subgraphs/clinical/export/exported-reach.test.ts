import { expect, it } from 'vitest';
import { processorTime } from '../../../gateway/test/setup/processor-time.ts';
import { accessOf } from '../test/servers.ts';
import { stillReaches } from './exported-reach.ts';

it('IA-7 a policy of 50,000 patients is compared with an export in linear time', async () => {
  const ids = Array.from({ length: 50_000 }, (_, at) => `patient-${at}`);
  const access = accessOf('system/*.rs', ids);
  const reach = { patients: ids.map((id) => ({ id })).toReversed(), types: [] };
  expect(await processorTime(() => expect(stillReaches(access, reach)).toBe(true))).toBeLessThan(1_000);
  expect(stillReaches(accessOf('system/*.rs', ids.slice(1)), reach)).toBe(false);
});
