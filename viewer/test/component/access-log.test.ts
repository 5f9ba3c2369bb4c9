import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { RecordAccess } from '../../src/domain/record/access.ts';
import { accessLog } from '../../src/features/access-log/access-log.ts';
import type { FakeRecords } from './fakes.ts';
import { choose, open, PHONE, scrollsSideways, shot, violations } from './open.ts';

/** Times of the day are those of this browser. */
const at = (day: string, time: string) => new Date(`${day}T${time}`).toISOString();
let last = 0;
const access = (more: Partial<RecordAccess>): RecordAccess => ({
  id: `e${last++}`,
  time: at('2026-05-04', '08:12:00'),
  client: 'viewer',
  does: 'opened',
  outcome: 'done',
  ...more,
});

const WEISS = { user: 'Practitioner/weiss', name: 'Dr Eva Weiss' };
const ACCESSES = [
  access({ ...WEISS, type: 'ImagingStudy', study: '1.2.20' }),
  access({ ...WEISS, does: 'looked', type: 'Flag' }),
  access({ ...WEISS, does: 'looked', type: 'Observation', time: at('2026-05-04', '07:00:00') }),
  access({ ...WEISS, does: 'looked', type: 'MedicationRequest' }),
  access({ user: 'Patient/helen', type: 'Patient', time: at('2026-05-03', '21:05:00') }),
  access({ client: 'other-app', type: 'Condition', outcome: 'refused', time: at('2026-05-03', '20:00:00') }),
  access({ client: 'other-app', study: '9.9.9', outcome: 'failed', time: at('2026-05-03', '19:00:00') }),
];

async function openList(accesses: FakeRecords['accesses'], size?: readonly [number, number]) {
  const asked: object[] = [];
  await open('?tenant=demo&patient=helen', {
    ...(size && { size }),
    features: [accessLog],
    prepare: ({ records }) => {
      records.accesses = (...args) => {
        asked.push(args[0]);
        return accesses(...args);
      };
    },
  });
  await expect.element(page.getByRole('heading', { level: 1 })).toHaveTextContent('Helen');
  expect(asked).toEqual([]);
  await choose('Account', 'Who has looked');
  return asked;
}
const sheet = () => page.getByRole('dialog', { name: 'Who has looked' });
const said = () => sheet().element().querySelector('ol')!.innerText.replaceAll(/\s+/g, ' ');

describe('who has looked', () => {
  test('is a list by day, person and app in plain words', async () => {
    await openList(() => Promise.resolve({ items: ACCESSES }));
    await expect.element(sheet().getByRole('heading', { level: 3 }).first()).toHaveTextContent('4 May 2026');
    expect(said()).toBe(
      [
        '4 May 2026 Dr Eva Weiss, with the app viewer',
        '08:12 opened the images “CT scan of the chest” of 2 Feb 2026',
        '08:12 looked at results, medicines, and other parts of the record',
        '3 May 2026 You, with the app viewer',
        '21:05 opened name and birth date',
        'The app other-app, without a person',
        '20:00 was not allowed to see: health problems',
        '19:00 asked for images, which failed',
      ].join(' '),
    );
    expect(await violations()).toEqual([]);
    await shot('access-log');
    await userEvent.keyboard('{Escape}');
    await expect.element(sheet()).not.toBeInTheDocument();
  });

  test('goes on with older ones by the keyboard, on a phone too', async () => {
    const asked = await openList(
      ({ next }) =>
        Promise.resolve(
          next === undefined
            ? { items: ACCESSES, next: 'page-2' }
            : { items: [access({ ...WEISS, time: at('2026-04-01', '10:00:00'), type: 'Condition' })] },
        ),
      PHONE,
    );
    const older = sheet().getByRole('button', { name: 'Show older ones' });
    await expect.element(older).toBeVisible();
    expect(scrollsSideways()).toBe(false);
    await shot('access-log-phone');
    older.element().focus();
    await userEvent.keyboard('{Enter}');
    await expect.element(sheet()).toHaveTextContent('1 Apr 2026');
    await expect.element(older).not.toBeInTheDocument();
    expect(asked).toEqual([
      { patient: 'helen', next: undefined },
      { patient: 'helen', next: 'page-2' },
    ]);
    expect(await violations()).toEqual([]);
  });

  test.each([
    ['server', 501, 'This server keeps no list of who has looked.'],
    ['not-found', 404, 'This server keeps no list of who has looked.'],
    ['refused', 403, 'Only the patient’s own sign-in may see who has looked'],
  ] as const)('%s, %s: says it in a sentence', async (kind, status, sentence) => {
    await openList(() => Promise.reject(new Trouble(kind, 'detail', { status })));
    await expect.element(sheet()).toHaveTextContent(sentence);
    expect(sheet().getByRole('button').all()).toHaveLength(1);
  });

  test('a server in trouble is asked again; an empty list is no error', async () => {
    let isAway = true;
    await openList(() =>
      isAway
        ? Promise.reject(new Trouble('busy', 'detail', { status: 503 }))
        : Promise.resolve({ items: [] }),
    );
    isAway = false;
    await sheet().getByRole('button', { name: 'Try again' }).click();
    await expect.element(sheet()).toHaveTextContent('Nobody is listed.');
  });
});
