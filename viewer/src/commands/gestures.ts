/**
 * Gestures on an image, from pointer events to actions; pure. Mouse: the left button windows, the middle one pans, the right
 * one zooms. Touch: one finger scrolls, two pan and zoom, a long press and then a drag windows, a double tap resets.
 */

export interface Pointer {
  type: 'down' | 'move' | 'up' | 'cancel' | 'hold';
  id: number;
  kind: 'mouse' | 'touch' | 'pen';
  /** `PointerEvent.button` */
  button: number;
  /** Pixels of the screen. */
  x: number;
  y: number;
  /** Milliseconds. */
  time: number;
}

export type Action =
  | { do: 'scroll'; by: number }
  | { do: 'pan'; x: number; y: number }
  | { do: 'zoom'; factor: number }
  /** In parts of the window's width. */
  | { do: 'window'; centre: number; width: number }
  | { do: 'reset' };

/** Returns an event of the page as a gesture takes it. */
export function pointerOf(event: PointerEvent, type: Pointer['type']): Pointer {
  const { pointerType, pointerId: id, button, clientX: x, clientY: y, timeStamp: time } = event;
  const kind = pointerType === 'touch' || pointerType === 'pen' ? pointerType : 'mouse';
  return { type, id, kind, button, x, y, time };
}

type Point = Pick<Pointer, 'x' | 'y'>;
type Mode = 'idle' | 'pressed' | 'scroll' | 'transform' | 'window' | 'pan' | 'zoom';

export interface GestureState {
  mode: Mode;
  pointers: readonly (Point & { id: number })[];
  /** The place and the time at which the first finger came down. */
  start: Point & { time: number };
  /** Pixels that have not made a whole step yet. */
  rest: number;
  lastTap: (Point & { time: number }) | undefined;
}

export const RESTING: GestureState = {
  mode: 'idle',
  pointers: [],
  start: { x: 0, y: 0, time: 0 },
  rest: 0,
  lastTap: undefined,
};

/** A finger that rests this long windows. The page sends `hold` then. */
export const HOLD_MS = 450;
const DOUBLE_TAP_MS = 350;
/** A finger that moves less has not moved. */
const STILL_PX = 10;
const DOUBLE_TAP_PX = 30;
const PX_PER_IMAGE = 12;
/** Pixels of a drag that move the window by its whole width. */
const PX_PER_WINDOW = 300;
const PX_PER_DOUBLE_ZOOM = 150;
/** One notch of a usual wheel; a touch pad sends smaller turns. */
const PX_PER_NOTCH = 100;
const PX_PER_PAD_STEP = 30;
const MOUSE: Record<number, Mode> = { 0: 'window', 1: 'pan', 2: 'zoom' };

/** Returns the state after an event, and what is to be done. */
export function gesture(state: GestureState, event: Pointer): { state: GestureState; actions: Action[] } {
  switch (event.type) {
    case 'down':
      return { state: pressed(state, event), actions: [] };
    case 'move':
      return moved(state, event);
    case 'hold':
      return { state: state.mode === 'pressed' ? { ...state, mode: 'window' } : state, actions: [] };
    default:
      return lifted(state, event);
  }
}

function pressed(state: GestureState, event: Pointer): GestureState {
  const { id, x, y, time } = event;
  const pointers = [...state.pointers.filter((one) => one.id !== id), { id, x, y }];
  if (event.kind === 'mouse')
    return { ...state, pointers, mode: MOUSE[event.button] ?? 'idle', start: { x, y, time } };
  if (pointers.length > 1) return { ...state, pointers, mode: 'transform', lastTap: undefined };
  return { ...state, pointers, mode: 'pressed', start: { x, y, time }, rest: 0 };
}

function moved(state: GestureState, event: Pointer): { state: GestureState; actions: Action[] } {
  const before = state.pointers.find(({ id }) => id === event.id);
  if (!before) return { state, actions: [] };
  const pointers = state.pointers.map((one) =>
    one.id === event.id ? { id: one.id, x: event.x, y: event.y } : one,
  );
  const [x, y] = [event.x - before.x, event.y - before.y];
  const next = { ...state, pointers };
  switch (state.mode) {
    case 'pressed':
      if (distance(state.start, event) < STILL_PX) return { state: { ...state }, actions: [] };
      return scrolled({ ...next, mode: 'scroll' }, event.y - state.start.y);
    case 'scroll':
      return scrolled(next, y);
    case 'window':
      return {
        state: next,
        actions: [{ do: 'window', centre: y / PX_PER_WINDOW, width: x / PX_PER_WINDOW }],
      };
    case 'pan':
      return { state: next, actions: [{ do: 'pan', x, y }] };
    case 'zoom':
      return { state: next, actions: [{ do: 'zoom', factor: 2 ** (-y / PX_PER_DOUBLE_ZOOM) }] };
    case 'transform':
      return { state: next, actions: transformed(state.pointers, pointers) };
    default:
      return { state: next, actions: [] };
  }
}

/** A finger that goes up shows later images, as a page goes up under it. */
function scrolled(state: GestureState, pixels: number): { state: GestureState; actions: Action[] } {
  const all = state.rest - pixels;
  const by = Math.trunc(all / PX_PER_IMAGE);
  return {
    state: { ...state, rest: all - by * PX_PER_IMAGE },
    actions: by === 0 ? [] : [{ do: 'scroll', by }],
  };
}

function transformed(before: readonly Point[], after: readonly Point[]): Action[] {
  const [a, b, c, d] = [before[0]!, before[1]!, after[0]!, after[1]!];
  const pan = { x: (c.x + d.x - a.x - b.x) / 2, y: (c.y + d.y - a.y - b.y) / 2 };
  const factor = distance(a, b) > 0 ? distance(c, d) / distance(a, b) : 1;
  return [
    { do: 'pan', ...pan },
    { do: 'zoom', factor },
  ];
}

function lifted(state: GestureState, event: Pointer): { state: GestureState; actions: Action[] } {
  const pointers = state.pointers.filter(({ id }) => id !== event.id);
  // The finger that is left after two does not begin to scroll.
  if (pointers.length > 0) return { state: { ...state, pointers, mode: 'idle' }, actions: [] };
  const ended: GestureState = { ...RESTING, start: state.start };
  const tapped = state.mode === 'pressed' && event.type === 'up' && event.kind !== 'mouse';
  if (!tapped) return { state: ended, actions: [] };
  const { lastTap } = state;
  const twice =
    lastTap && event.time - lastTap.time < DOUBLE_TAP_MS && distance(lastTap, event) < DOUBLE_TAP_PX;
  if (twice) return { state: ended, actions: [{ do: 'reset' }] };
  return { state: { ...ended, lastTap: { x: event.x, y: event.y, time: event.time } }, actions: [] };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** Returns how many images a turn of the wheel is, and the pixels that are left. @param event deltas of a WheelEvent */
export function wheelSteps(
  rest: number,
  event: Pick<WheelEvent, 'deltaY' | 'deltaMode'>,
): { rest: number; by: number } {
  // Lines and pages (UI Events §5.7.1) come from a wheel with notches.
  if (event.deltaMode !== 0) return { rest: 0, by: Math.sign(event.deltaY) };
  if (Math.abs(event.deltaY) >= PX_PER_NOTCH / 2)
    return {
      rest: 0,
      by: Math.sign(event.deltaY) * Math.max(Math.round(Math.abs(event.deltaY) / PX_PER_NOTCH), 1),
    };
  const all = rest + event.deltaY;
  const by = Math.trunc(all / PX_PER_PAD_STEP);
  return { rest: all - by * PX_PER_PAD_STEP, by };
}
