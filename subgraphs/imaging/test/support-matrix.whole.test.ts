import { expect, it } from 'vitest';
import { describeWithSharedData } from '../../../gateway/test/setup/shared-data.ts';
import { pages } from './check-matrix.ts';
import { longTest } from '../../../gateway/test/setup/usual-run.ts';
import { matrixFiles, supportMatrix } from './support-matrix.ts';

describeWithSharedData('the support matrix', () => {
  longTest(
    'is correct for every transfer syntax and source (npm run check:matrix -- --write)',
    async () => {
      const { committed, fresh } = await pages(await supportMatrix());
      expect(committed).toBe(fresh);
    },
    120_000,
  );

  it('is correct for some transfer syntaxes and every source', async () => {
    // Compared without the numbers of the notes, which depend on the rows before.
    const rows = (page: string) => page.replaceAll(/ ?\(\d+\)/g, '').split('\n');
    const { committed } = await pages('');
    const some = rows(await supportMatrix(matrixFiles().filter((_, index) => index % 5 === 0)));
    const ofTable = some.filter((row) => /^\| .*…/.test(row));
    expect(ofTable.length).toBeGreaterThan(2);
    for (const row of ofTable) expect(rows(committed)).toContain(row);
  }, 60_000);
});
