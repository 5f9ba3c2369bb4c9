/** An enhanced MR in the page: two stacks at eight times, each frame with its own numbers (PS3.3 §C.7.6.16). */
import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Instance } from '../../src/domain/instance.ts';
import { stacksOf } from '../../src/domain/series/stacks.ts';
import { open, PHONE, scrollsSideways, shot, violations } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10';
const [SLICES, TIMES] = [4, 8];

type Values = Record<string, readonly unknown[]>;
const attributes = (values: Values): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'DS', Value }]));
const groups = (values: Record<string, Values>): Instance =>
  Object.fromEntries(
    Object.entries(values).map(([tag, item]) => [tag, { vr: 'SQ', Value: [attributes(item)] }]),
  );

/** Slices of 3 mm and more, from the left to the right; each time begins two seconds after the one before. */
const ENHANCED: Instance = {
  ...attributes({
    '00080018': ['1.2.10.2.1'],
    '00080021': ['20000101'],
    '0008002A': ['20260312090000'],
    '00080060': ['MR'],
    '0008103E': ['Breasts, dynamic'],
    '00200013': [1],
    '00200052': ['9.9'],
    '00280008': [2 * SLICES * TIMES],
    '00280010': [64],
    '00280011': [64],
    '00280100': [16],
  }),
  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'CASTELLANOS^HELEN^MARIE' }] },
  '00100020': { vr: 'LO', Value: ['MRN-0004711'] },
  '00100030': { vr: 'DA', Value: ['19720501'] },
  '52009229': { vr: 'SQ', Value: [groups({ '00209116': { '00200037': [0, 1, 0, 0, 0, -1] } })] },
  '52009230': {
    vr: 'SQ',
    Value: Array.from({ length: 2 * SLICES * TIMES }, (_, at) => {
      const [slice, time, side] = [
        at % SLICES,
        Math.floor(at / SLICES) % TIMES,
        at < SLICES * TIMES ? 'L' : 'R',
      ];
      return groups({
        '00189112': { '00180080': [500 + time] },
        '00209111': { '00189074': [`20260312091${time}00`], '00209056': [side], '00209128': [time + 1] },
        '00209113': { '00200032': [(side === 'L' ? 40 : -100) + 5 * slice, 0, 0] },
        '00209310': { '0020930D': [2 * time] },
        '00289110': { '00180050': [3 + slice], '00280030': [1, 1] },
      });
    }),
  },
};

const openEnhanced = (size?: readonly [number, number]) =>
  open(STUDY, {
    ...(size && { size }),
    prepare: ({ imaging }) => (imaging.stacks = (name) => stacksOf(name, [ENHANCED])),
  });
const text = () => document.querySelector<HTMLElement>('.overlay')?.innerText.replace(/\s+/g, ' ').trim();
const parts = () => page.getByRole('group', { name: 'Parts of this series' });

test('times are a slider, the other stack a button; what is written belongs to the frame', async () => {
  await openEnhanced();
  await expect.element(parts().getByText('Time 1/8 · 0.0 s')).toBeVisible();
  expect(parts().getByRole('button').all()).toHaveLength(1);
  await expect.poll(text).toContain('stack L · time 1');
  // The third of four slices.
  await expect.poll(text).toContain('12 Mar 2026, 09:10');
  expect(text()).toContain('image 3/4 L 50.0 mm · 5 mm thick TR 500 ms');
  await parts().getByRole('slider').fill('6');
  await expect.poll(text).toContain('12 Mar 2026, 09:15');
  expect(text()).toContain('image 3/4 L 50.0 mm · 5 mm thick TR 505 ms');
  await userEvent.click(parts().getByRole('button', { name: 'stack R · 4' }));
  await expect.poll(text).toContain('stack R · time 6');
  await expect.element(parts().getByText('Time 6/8 · 10.0 s')).toBeVisible();
  await expect.poll(text).toContain('R 90.0 mm');
  await shot('enhanced');
  expect(await violations()).toEqual([]);
});

test('a phone has the slider and the button without a scroll to the side', async () => {
  await openEnhanced(PHONE);
  await expect.element(parts().getByText('Time 1/8 · 0.0 s')).toBeVisible();
  await shot('phone-enhanced');
  expect(scrollsSideways()).toBe(false);
});
