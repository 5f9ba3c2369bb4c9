import { dayOf } from '../../messages/dates.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import type { Workspace } from '../../state/stage/workspace.svelte.ts';

/** Returns the name of a place of the stage: two studies are told apart by their dates, images of one study by their numbers. */
export function cellName(cell: Cell, { cells, besideCell }: Workspace): string {
  const number = cells.indexOf(cell) + 1;
  if (!besideCell || !cell.study) return cells.length > 1 ? m.imageAreaNumber({ number }) : m.imageArea();
  const date = dateOf(cell);
  const isOnly = cells.every((one) => one === cell || !one.study || dateOf(one) !== date);
  return isOnly ? m.imageAreaOf({ date }) : m.imageAreaNumberOf({ number, date });
}

function dateOf({ study }: Cell): string {
  return study?.started ? dayOf(study.started) : m.noDate();
}
