import { describe, expect, test } from 'vitest';
import { hang } from '../../src/domain/series/hanging.ts';
import type { Series, Study } from '../../src/domain/study.ts';
import { Workspace } from '../../src/state/stage/workspace.svelte.ts';
import { FakeImaging } from './fakes.ts';

const SINGLE = { screen: { width: 1400 }, layout: '1x1' } as const;
const location = { dicomweb: 'https://images.example/dicomweb' };
const series = (uid: string, number: number): Series => ({
  uid,
  number,
  modality: 'CT',
  numberOfInstances: 9,
});
const study = (uid: string, rest: Partial<Study> = {}): Study => ({
  uid,
  id: uid,
  modalities: ['CT'],
  location,
  series: [series(`${uid}.1`, 1), series(`${uid}.2`, 2)],
  ...rest,
});
const [NOW, PRIOR, OLDER] = [study('now'), study('prior'), study('older')];

function opened(layout: '1x1' | '1x2' | '2x2' = '1x1') {
  const workspace = new Workspace(new FakeImaging());
  workspace.open(NOW, hang(NOW, SINGLE));
  workspace.setLayout(layout);
  return workspace;
}
const shown = ({ cells }: Workspace) => cells.map(({ series: of }) => of?.uid);

describe('two studies on one stage', () => {
  test('another study is shown to the right; the one that was opened stays active', () => {
    const workspace = opened();
    workspace.showBeside(PRIOR, PRIOR.series[1]!);
    expect([workspace.layout, workspace.at, shown(workspace)]).toEqual(['1x2', 0, ['now.1', 'prior.2']]);
    expect(workspace.besideCell?.study).toBe(PRIOR);
    expect(workspace.activeStudy).toBe(NOW);
    workspace.at = 1;
    expect(workspace.series.map(({ uid }) => uid)).toEqual(['prior.1', 'prior.2']);
    expect(workspace.addressed.cell).toBe(workspace.cells[0]);
  });

  test('a third study takes the place of the second', () => {
    const workspace = opened();
    workspace.showBeside(PRIOR, PRIOR.series[0]!);
    workspace.showBeside(OLDER, OLDER.series[0]!);
    expect(shown(workspace)).toEqual(['now.1', 'older.1']);
  });

  test('the study that was opened stands left, also if it was right', () => {
    const workspace = opened('1x2');
    workspace.cells[0]!.close();
    workspace.show(NOW.series[1]!, { cell: workspace.cells[1] });
    workspace.showBeside(PRIOR, PRIOR.series[0]!);
    expect(shown(workspace)).toEqual(['now.2', 'prior.1']);
    expect(workspace.at).toBe(0);
  });

  test('a series goes to the cell that is named, and to the study of the strip', () => {
    const workspace = opened('2x2');
    workspace.show(PRIOR.series[0]!, { study: PRIOR, cell: workspace.cells[3] });
    expect([shown(workspace), workspace.at]).toEqual([['now.1', undefined, undefined, 'prior.1'], 3]);
    workspace.showNext(1);
    expect(shown(workspace)[3]).toBe('prior.2');
    expect(workspace.cells[3]!.study).toBe(PRIOR);
  });

  test('the last cell of the study that was opened is not given away', () => {
    const workspace = opened();
    workspace.show(PRIOR.series[0]!, { study: PRIOR, cell: workspace.cells[0] });
    expect(shown(workspace)).toEqual(['now.1', 'prior.1']);
  });

  test.each([
    ['one cell is left', '1x2', ['now.1'], '1x1'],
    ['more are left', '2x2', ['now.1', 'now.2', undefined, undefined], '2x2'],
  ] as const)('closed: %s', (_name, layout, left, after) => {
    const workspace = opened(layout);
    if (layout === '2x2') workspace.show(NOW.series[1]!, { cell: workspace.cells[1] });
    workspace.showBeside(PRIOR, PRIOR.series[0]!);
    workspace.at = workspace.cells.indexOf(workspace.besideCell!);
    workspace.closeBeside();
    expect([shown(workspace), workspace.layout]).toEqual([left, after]);
    expect(workspace.besideCell).toBeUndefined();
    expect(workspace.active.study).toBe(NOW);
  });
});

describe('fewer cells', () => {
  test('the active one stays', () => {
    const workspace = opened('1x2');
    workspace.show(NOW.series[1]!, { cell: workspace.cells[1] });
    workspace.setLayout('1x1');
    expect(shown(workspace)).toEqual(['now.2']);
    expect(workspace.at).toBe(0);
  });

  test('of two studies the one that was opened', () => {
    const workspace = opened();
    workspace.showBeside(PRIOR, PRIOR.series[0]!);
    workspace.at = 1;
    workspace.setLayout('1x1');
    expect(shown(workspace)).toEqual(['now.1']);
    expect(workspace.activeStudy).toBe(NOW);
  });
});

describe('a study without a location', () => {
  const { location: _, ...nowhere } = study('parts');
  const parts = { ...nowhere, series: [series('parts.1', 1), { ...series('parts.2', 2), location }] };

  test('a series that has one opens in a second cell', async () => {
    const workspace = opened();
    workspace.open(parts, hang(parts, SINGLE), { series: 'parts.2' });
    workspace.setLayout('1x2');
    workspace.show(parts.series[1]!, { cell: workspace.cells[1] });
    await expect.poll(() => workspace.cells.map(({ count }) => count)).toEqual([1, 1]);
  });

  test('a series that no archive has says so', () => {
    const workspace = opened();
    workspace.open(parts, hang(parts, SINGLE), { series: 'parts.2' });
    workspace.setLayout('1x2');
    workspace.show(parts.series[0]!, { cell: workspace.cells[1] });
    expect(workspace.cells[1]!.opening).toBe(false);
    expect(workspace.cells[1]!.trouble?.trouble.kind).toBe('not-found');
  });
});
