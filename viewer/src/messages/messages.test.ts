import { describe, expect, test } from 'vitest';
import { m } from './compiled/messages.js';
import { overwriteGetLocale } from './compiled/runtime.js';
import { agoOf, ageOn, dateFor, dayOf, fromDicomDate } from './dates.ts';
import en from './en.json' with { type: 'json' };
import es from './es.json' with { type: 'json' };
import { modalityName, modalityNames } from './modalities.ts';

const inputs = (message: unknown) => [...new Set(JSON.stringify(message).match(/\{\w+\}/g))].sort();

test('both languages have all messages, with the same inputs', () => {
  expect(Object.keys(es)).toEqual(Object.keys(en));
  const differing = Object.entries(en).filter(
    ([key, message]) => String(inputs(message)) !== String(inputs(es[key as keyof typeof es])),
  );
  expect(differing).toEqual([]);
});

test('no message is empty, or the same by mistake', () => {
  const all = Object.entries(en).filter(([key]) => key !== '$schema');
  expect(all.filter(([, message]) => message === '')).toEqual([]);
  const same = all.filter(([key, message]) => message === es[key as keyof typeof es]).map(([key]) => key);
  // Names, units, and what is made of other words only.
  const units = ['measureShape', 'sizeDegrees', 'sizeMm', 'suvWindow', 'waveformRate', 'windowSuv'];
  const names = ['appName', 'orientationAxial', 'orientationCoronal', 'slabMip'];
  expect(same).toEqual([...units, ...names].sort());
});

test.each([
  ['en', 0, '0 images'],
  ['en', 1, '1 image'],
  ['en', 208, '208 images'],
  ['es', 1, '1 imagen'],
  ['es', 2, '2 imágenes'],
  ['es', 1_000_000, '1000000 imágenes'],
] as const)('plural forms: %s %i', (locale, count, expected) => {
  expect(m.images({ count }, { locale })).toBe(expected);
});

describe('dates', () => {
  test.each([
    ['en', '2026-03-12T09:30:00-05:00', '12 Mar 2026'],
    ['en', '2026-03', 'Mar 2026'],
    ['en', '2026', '2026'],
    ['en', 'unknown', 'unknown'],
    ['es', '2026-03-12', '12 mar 2026'],
  ] as const)('%s: %s is %s', (locale, date, expected) => {
    overwriteGetLocale(() => locale);
    expect(dayOf(date)).toBe(expected);
  });

  test.each([
    ['2026-04-02', 'today'],
    ['2026-04-01', 'yesterday'],
    ['2026-03-12', '3 weeks ago'],
    ['2024-11-30', '16 months ago'],
    ['2016-04-01', '10 years ago'],
    ['2026-04-12', 'in 10 days'],
    ['2026', undefined],
  ])('%s is %s', (date, expected) => {
    overwriteGetLocale(() => 'en');
    expect(agoOf(date, '2026-04-02')).toBe(expected);
  });

  test('plain words have both, clinical ones the date', () => {
    overwriteGetLocale(() => 'en');
    expect(dateFor('plain', '2026-03-12', '2026-04-02')).toBe('3 weeks ago (12 Mar 2026)');
    expect(dateFor('clinical', '2026-03-12', '2026-04-02')).toBe('12 Mar 2026');
  });

  test.each([
    ['1972-05-01', '2026-05-01', 54],
    ['1972-05-01', '2026-04-30', 53],
    ['1972', '2026-01-01', 54],
    [undefined, '2026-01-01', undefined],
  ])('born %s, on %s: %s years', (born, today, age) => expect(ageOn(born, today)).toBe(age));

  test('a DICOM date', () => {
    expect(fromDicomDate('20260312')).toBe('2026-03-12');
    expect(fromDicomDate('2026')).toBeUndefined();
  });
});

test('modalities have plain and clinical names', () => {
  overwriteGetLocale(() => 'en');
  expect(modalityName('MR', 'plain')).toBe('MRI');
  expect(modalityName('MR', 'clinical')).toBe('MR');
  expect(modalityName('ZZ', 'plain')).toBe('ZZ');
  expect(modalityNames(['CR', 'DX', 'CT'], 'plain')).toBe('X-ray, CT scan');
});
