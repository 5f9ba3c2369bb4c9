import { m } from '../messages/compiled/messages.js';
import type { Cell } from '../state/stage/cell.svelte.ts';
import { videoOf } from '../state/stage/shown-video.svelte.ts';
import type { Workspace } from '../state/stage/workspace.svelte.ts';
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

/** Moves through the images, or the frames of the video, of the active cell, and through the series of the study. */
export function navigationCommands(workspace: Workspace): Command[] {
  const images = (id: string, name: () => string, [key, by]: [key: string, by: number]): Command => ({
    id: `image.${id}`,
    name,
    keys: [key],
    group: 'navigation',
    enabled: () => workspace.active.count > 0 || videoOf(workspace.active).shown !== undefined,
    run: () => (videoOf(workspace.active).shown ?? workspace.active).step(by),
  });
  const series = (id: string, name: () => string, [key, by]: [key: string, by: 1 | -1]): Command => ({
    id: `series.${id}`,
    name,
    keys: [key],
    group: 'navigation',
    enabled: () => workspace.series.length > 1,
    run: () => workspace.showNext(by),
  });
  return [
    images('next', m.commandImageNext, ['ArrowDown', 1]),
    images('previous', m.commandImagePrevious, ['ArrowUp', -1]),
    images('page-down', m.commandImagePageDown, ['PageDown', PAGE]),
    images('page-up', m.commandImagePageUp, ['PageUp', -PAGE]),
    images('first', m.commandImageFirst, ['Home', -Infinity]),
    images('last', m.commandImageLast, ['End', Infinity]),
    series('next', m.commandSeriesNext, ['ArrowRight', 1]),
    series('previous', m.commandSeriesPrevious, ['ArrowLeft', -1]),
  ];
}

/** A command on the cell that shows an image. */
interface OnImage {
  id: string;
  name: () => string;
  keys?: readonly string[];
  run: (cell: Cell) => void;
}

const zoom = (factor: number) => (cell: Cell) => act(cell, { do: 'zoom', factor });
const adjust = (centre: number, width: number) => (cell: Cell) => cell.adjustWindow({ centre, width });

/** Shows a pixel of the image on one of the page. */
function pixelForPixel(cell: Cell): void {
  const [from, to] = [cell.view?.toGlass([0, 0]), cell.view?.toGlass([1, 0])];
  if (!from || !to) return;
  const size = Math.hypot(to[0] - from[0], to[1] - from[1]);
  cell.setCamera(({ zoom }) => ({ zoom: zoom / size }));
}

const ON_IMAGE: readonly OnImage[] = [
  { id: 'image.zoom-in', name: m.commandZoomIn, keys: ['+', '='], run: zoom(ZOOM_STEP) },
  { id: 'image.zoom-out', name: m.commandZoomOut, keys: ['-'], run: zoom(1 / ZOOM_STEP) },
  { id: 'image.fit', name: m.commandFit, run: (cell) => cell.setCamera(() => ({ zoom: 1, pan: [0, 0] })) },
  { id: 'image.pixels', name: m.commandPixels, run: pixelForPixel },
  {
    id: 'image.rotate',
    name: m.commandRotate,
    keys: ['r'],
    run: (cell) => cell.setCamera(({ rotation }) => ({ rotation: (rotation + 90) % 360 })),
  },
  {
    id: 'image.flip',
    name: m.commandFlip,
    keys: ['f'],
    run: (cell) => cell.setCamera(({ flipped }) => ({ flipped: !flipped })),
  },
  { id: 'image.invert', name: m.commandInvert, keys: ['i'], run: (cell) => cell.invert() },
  { id: 'image.reset', name: m.commandReset, keys: ['0'], run: (cell) => cell.reset() },
  { id: 'window.brighter', name: m.commandBrighter, keys: ['Shift+ArrowUp'], run: adjust(-WINDOW_STEP, 0) },
  { id: 'window.darker', name: m.commandDarker, keys: ['Shift+ArrowDown'], run: adjust(WINDOW_STEP, 0) },
  {
    id: 'window.more-contrast',
    name: m.commandMoreContrast,
    keys: ['Shift+ArrowRight'],
    run: adjust(0, -WINDOW_STEP),
  },
  {
    id: 'window.less-contrast',
    name: m.commandLessContrast,
    keys: ['Shift+ArrowLeft'],
    run: adjust(0, WINDOW_STEP),
  },
];

/** Changes how the image of the active cell is shown, and what is written on all. */
export function imageCommands(workspace: Workspace): Command[] {
  const texts: Command = {
    id: 'image.texts',
    name: m.commandTexts,
    keys: ['h'],
    group: 'image',
    pressed: () => workspace.texts,
    run: () => (workspace.texts = !workspace.texts),
  };
  const onImage = ON_IMAGE.map(({ run, ...command }): Command => ({
    ...command,
    group: command.id.startsWith('window.') ? 'window' : 'image',
    enabled: () => workspace.active.shown !== undefined,
    ...(command.id === 'image.invert' && { pressed: () => workspace.active.shown?.inverted ?? false }),
    run: () => run(workspace.active),
  }));
  return [...onImage, texts];
}
