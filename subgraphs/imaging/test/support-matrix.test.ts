import { expect, it } from 'vitest';
import { describeWithSharedData } from '../../../gateway/test/setup/shared-data.ts';
import { pages } from './check-matrix.ts';
import { supportMatrix } from './support-matrix.ts';

describeWithSharedData('the support matrix', () => {
  it('is correct for every transfer syntax and source (npm run check:matrix -- --write)', async () => {
    const { committed, fresh } = await pages(await supportMatrix());
    expect(committed).toBe(fresh);
  }, 120_000);
});
