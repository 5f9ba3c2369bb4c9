import { m } from '../messages/compiled/messages.js';
import type { Cell } from '../state/cell.svelte.ts';
import type { Workspace } from '../state/workspace.svelte.ts';
import type { Action } from './gestures.ts';
import type { Command } from './registry.ts';

const PAGE = 10;
const ZOOM_STEP = 1.25;
/** In parts of the window's width. */
const WINDOW_STEP = 0.1;

/** Does on a cell what a gesture says. */
export function act(cell: Cell, action: Action): void {
  switch (action.do) {
    case 'scroll':
      return cell.step(action.by);
    case 'pan':
      return cell.setCamera(({ pan: [x, y] }) => ({ pan: [x + action.x, y + action.y] }));
    case 'zoom':
      return cell.setCamera(({ zoom }) => ({ zoom: zoom * action.factor }));
    case 'window':
      return cell.adjustWindow(action);
    case 'reset':
      return cell.reset();
  }
}

/** Moves through the images of the active cell, and through the series of the study. */
export function navigationCommands(workspace: Workspace): Command[] {
  const hasImages = () => workspace.active.count > 0;
  const step = (id: string, name: () => string, key: string, by: number): Command => ({
    id,
    name,
    keys: [key],
    group: 'navigation',
    enabled: hasImages,
    run: () => workspace.active.step(by),
  });
  const series = (id: string, name: () => string, key: string, by: 1 | -1): Command => ({
    id,
    name,
    keys: [key],
    group: 'navigation',
    enabled: () => workspace.series.length > 1,
    run: () => workspace.showNext(by),
  });
  return [
    step('image.next', m.commandImageNext, 'ArrowDown', 1),
    step('image.previous', m.commandImagePrevious, 'ArrowUp', -1),
    step('image.page-down', m.commandImagePageDown, 'PageDown', PAGE),
    step('image.page-up', m.commandImagePageUp, 'PageUp', -PAGE),
    step('image.first', m.commandImageFirst, 'Home', -Infinity),
    step('image.last', m.commandImageLast, 'End', Infinity),
    series('series.next', m.commandSeriesNext, 'ArrowRight', 1),
    series('series.previous', m.commandSeriesPrevious, 'ArrowLeft', -1),
  ];
}

/** Changes how the image of the active cell is shown. */
export function imageCommands(workspace: Workspace): Command[] {
  const on = (id: string, name: () => string, keys: readonly string[], run: (cell: Cell) => void): Command => ({
    id,
    name,
    keys,
    group: id.startsWith('window.') ? 'window' : 'image',
    enabled: () => workspace.active.shown !== undefined,
    run: () => run(workspace.active),
  });
  const adjust = (centre: number, width: number) => (cell: Cell) => cell.adjustWindow({ centre, width });
  return [
    on('image.zoom-in', m.commandZoomIn, ['+', '='], (cell) => act(cell, { do: 'zoom', factor: ZOOM_STEP })),
    on('image.zoom-out', m.commandZoomOut, ['-'], (cell) => act(cell, { do: 'zoom', factor: 1 / ZOOM_STEP })),
    on('image.rotate', m.commandRotate, ['r'], (cell) =>
      cell.setCamera(({ rotation }) => ({ rotation: (rotation + 90) % 360 })),
    ),
    on('image.flip', m.commandFlip, ['f'], (cell) => cell.setCamera(({ flipped }) => ({ flipped: !flipped }))),
    {
      ...on('image.invert', m.commandInvert, ['i'], (cell) => cell.invert()),
      pressed: () => workspace.active.shown?.inverted ?? false,
    },
    on('image.reset', m.commandReset, ['0'], (cell) => cell.reset()),
    on('window.brighter', m.commandBrighter, ['Shift+ArrowUp'], adjust(-WINDOW_STEP, 0)),
    on('window.darker', m.commandDarker, ['Shift+ArrowDown'], adjust(WINDOW_STEP, 0)),
    on('window.more-contrast', m.commandMoreContrast, ['Shift+ArrowRight'], adjust(0, -WINDOW_STEP)),
    on('window.less-contrast', m.commandLessContrast, ['Shift+ArrowLeft'], adjust(0, WINDOW_STEP)),
  ];
}
