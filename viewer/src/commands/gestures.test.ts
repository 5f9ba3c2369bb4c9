import { describe, expect, test } from 'vitest';
import { gesture, RESTING, wheelSteps, type Action, type Pointer } from './gestures.ts';

type Step = Partial<Pointer> & Pick<Pointer, 'type'>;

/** Plays events and returns all actions. */
function play(kind: Pointer['kind'], steps: readonly Step[]): Action[] {
  let state = RESTING;
  return steps.flatMap((step, index) => {
    const next = gesture(state, { id: 1, kind, button: 0, x: 0, y: 0, time: index * 20, ...step });
    state = next.state;
    return next.actions;
  });
}

const down = (rest: Partial<Pointer> = {}): Step => ({ type: 'down', ...rest });
const move = (x: number, y: number, id = 1): Step => ({ type: 'move', x, y, id });
const up = (rest: Partial<Pointer> = {}): Step => ({ type: 'up', ...rest });

describe('touch', () => {
  test.each<[string, Step[], Action[]]>([
    [
      'one finger up scrolls on',
      [down(), move(0, -30), move(0, -60)],
      [
        { do: 'scroll', by: 2 },
        { do: 'scroll', by: 3 },
      ],
    ],
    ['one finger down scrolls back', [down(), move(0, 25)], [{ do: 'scroll', by: -2 }]],
    ['a finger that trembles does nothing', [down(), move(2, 3), move(-3, 1), up()], []],
    [
      'two fingers pan and zoom',
      [down(), down({ id: 2, x: 100 }), move(200, 0, 2)],
      [
        { do: 'pan', x: 50, y: 0 },
        { do: 'zoom', factor: 2 },
      ],
    ],
    [
      'the finger left of two does not scroll',
      [down(), down({ id: 2, x: 100 }), up({ id: 2 }), move(0, 90)],
      [],
    ],
    [
      'a long press, then a drag, windows',
      [down(), { type: 'hold' }, move(30, -60)],
      [{ do: 'window', centre: -0.2, width: 0.1 }],
    ],
    [
      'a drag is no long press',
      [down(), move(0, -24), { type: 'hold' }, move(0, -36)],
      [
        { do: 'scroll', by: 2 },
        { do: 'scroll', by: 1 },
      ],
    ],
    ['a double tap resets', [down(), up(), down(), up()], [{ do: 'reset' }]],
    ['two taps far apart do not', [down(), up(), down({ x: 90 }), up({ x: 90 })], []],
    ['two slow taps do not', [down(), up(), down({ time: 900 }), up({ time: 920 })], []],
    ['a cancelled tap is none', [down(), up(), down(), { type: 'cancel' }], []],
  ])('%s', (_name, steps, actions) => expect(play('touch', steps)).toEqual(actions));
});

describe('mouse', () => {
  test.each<[string, number, Action]>([
    ['left drag windows', 0, { do: 'window', centre: 0.1, width: 0.2 }],
    ['middle drag pans', 1, { do: 'pan', x: 60, y: 30 }],
    ['right drag zooms', 2, { do: 'zoom', factor: 2 ** -0.2 }],
  ])('%s', (_name, button, action) =>
    expect(play('mouse', [down({ button }), move(60, 30), up(), move(90, 90)])).toEqual([action]),
  );
  test('moving without a button does nothing', () => expect(play('mouse', [move(60, 30)])).toEqual([]));
});

test.each([
  ['a notch', 0, { deltaY: 100, deltaMode: 0 }, { rest: 0, by: 1 }],
  ['a notch of 120', 0, { deltaY: -120, deltaMode: 0 }, { rest: 0, by: -1 }],
  ['a fast wheel', 0, { deltaY: 300, deltaMode: 0 }, { rest: 0, by: 3 }],
  ['lines', 0, { deltaY: 3, deltaMode: 1 }, { rest: 0, by: 1 }],
  ['a touch pad', 20, { deltaY: 15, deltaMode: 0 }, { rest: 5, by: 1 }],
  ['a slow touch pad', 0, { deltaY: -4, deltaMode: 0 }, { rest: -4, by: 0 }],
])('the wheel: %s', (_name, rest, event, expected) => {
  const { rest: left, by } = wheelSteps(rest, event);
  expect({ rest: left, by: by + 0 }).toEqual(expected);
});
