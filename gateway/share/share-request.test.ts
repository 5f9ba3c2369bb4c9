import { describe, expect, test } from 'vitest';
import { Fault } from '../../schema/fault/fault.ts';
import { readOpening, readWanted } from './share-request.ts';

const NOW = Date.parse('2026-12-02T10:00:00Z');
const share = { enabled: true, maxDays: 30, maxUses: 20, passcode: 'required' } as const;
const GOOD = {
  studies: ['1.2.3'],
  expires: '2026-12-07',
  uses: 5,
  passcode: 'a passcode',
  label: 'CT chest',
};
const read = (more: object, settings: object = {}) =>
  readWanted({ ...GOOD, ...more }, { share: { ...share, ...settings } }, NOW);
const refusal = (run: () => unknown): Fault => {
  try {
    run();
  } catch (error) {
    return error as Fault;
  }
  throw new Error('was not refused');
};

describe('IA-36 what a link is asked for', () => {
  test.each<[what: string, more: object, expires: string]>([
    ['a date, to its end', {}, '2026-12-08T00:00:00.000Z'],
    ['a time with its zone', { expires: '2026-12-07T12:00:00+01:00' }, '2026-12-07T11:00:00.000Z'],
    ['the last date, to the longest time', { expires: '2027-01-01' }, '2027-01-01T10:00:00.000Z'],
    ['today', { expires: '2026-12-02' }, '2026-12-03T00:00:00.000Z'],
  ])('%s', (_what, more, expires) => {
    expect(new Date(read(more).expires * 1000).toISOString()).toBe(expires);
  });

  test('lists are empty by default, and a passcode is optional where the tenant says so', () => {
    expect(read({ resources: undefined })).toMatchObject({
      ...GOOD,
      resources: [],
      expires: expect.any(Number),
    });
    expect(read({ passcode: undefined }, { passcode: 'optional' }).passcode).toBeUndefined();
  });

  const many = (count: number, name: string) =>
    Array.from({ length: count }, (_, index) => `${name}${index}`);
  test.each<[field: string, more: object, settings?: object]>([
    ['The body', { studies: undefined }],
    ['The body', { studies: [], resources: [] }],
    ['The body', { more: 1 }],
    ['studies', { studies: '1.2.3' }],
    ['studies', { studies: ['1.2.3', '1.2.3'] }],
    ['studies', { studies: many(21, '1.2.') }],
    ['studies.0', { studies: ['..'] }],
    ['studies.0', { studies: ['1.2.3/series'] }],
    ['resources.0', { resources: ['Observation'] }],
    ['resources.0', { resources: ['Observation/..'] }],
    ['resources.0', { resources: ['Observation/1/_history'] }],
    ['resources.0', { resources: ['Patient/1'] }],
    ['resources.0', { resources: ['ImagingStudy/1.2.3'] }],
    ['resources', { resources: many(101, 'Observation/') }],
    ['expires', { expires: undefined }],
    ['expires', { expires: 'tomorrow' }],
    ['expires', { expires: '2026-12-07T12:00:00' }],
    ['expires', { expires: '2026-12-01' }],
    ['expires', { expires: '2026-12-02T10:00:00Z' }],
    ['expires', { expires: '2027-01-02' }],
    ['expires', { expires: '2026-12-09' }, { maxDays: 6 }],
    ['uses', { uses: 0 }],
    ['uses', { uses: 1.5 }],
    ['uses', { uses: 21 }],
    ['uses', { uses: undefined }],
    ['passcode', { passcode: undefined }],
    ['passcode', { passcode: 'short' }, { passcode: 'optional' }],
    ['passcode', { passcode: 'x'.repeat(65) }],
    ['passcode', { passcode: 123456 }],
    ['label', { label: 'x'.repeat(81) }],
    ['label', { label: 'two\nlines' }],
    ['label', { label: '' }],
  ])('refuses %s of %j %j', (field, more, settings) => {
    const { code, message } = refusal(() => read(more, settings));
    expect(code).toBe('invalid_request');
    expect(message.split(':')[0]).toBe(field);
    expect(message).not.toMatch(/123456|short|tomorrow|two|xxxxxx/);
  });

  test.each([undefined, null, 'text', [], 7])('refuses a body %j', (body) => {
    expect(refusal(() => readWanted(body, { share }, NOW)).code).toBe('invalid_request');
    expect(refusal(() => readOpening(body)).code).toBe('invalid_request');
  });
});

describe('what a receiver says', () => {
  test('fields that are not known are left out', () => {
    const body = { recipient: ' Dr Weiss, Kiel ', passcode: 'secret', more: 1 };
    expect(readOpening(body)).toEqual({
      recipient: 'Dr Weiss, Kiel',
      passcode: 'secret',
      embeddedLengthMax: 100_000,
    });
  });

  test.each([
    ['recipient', { recipient: '' }],
    ['recipient', { recipient: 'x'.repeat(201) }],
    ['recipient', { recipient: 'a\u0000b' }],
    ['recipient', {}],
    ['passcode', { recipient: 'a', passcode: 'x'.repeat(257) }],
    ['embeddedLengthMax', { recipient: 'a', embeddedLengthMax: -1 }],
  ])('refuses %s of %j', (field, body) => {
    expect(refusal(() => readOpening(body)).message).toMatch(new RegExp(`^${field}:`));
  });
});
