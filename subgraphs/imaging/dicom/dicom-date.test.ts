import { expect, test } from 'vitest';
import { fhirDateTime } from './dicom-date.ts';

// IA-16: the time zone of the object or none, never an invented Z, and no more precision than was recorded.
test.each<[string | undefined, string | undefined, string | undefined, string | undefined, string]>([
  ['20230224', '140249', undefined, '2023-02-24', 'no zone: date only'],
  ['20230224', '140249', '', '2023-02-24', 'empty zone'],
  ['20230224', '140249', '-0500', '2023-02-24T14:02:49-05:00', 'zone'],
  ['20230224', '140249.123456', '+0000', '2023-02-24T14:02:49.123456+00:00', 'fraction'],
  ['20230224', '140249.1', '+0530', '2023-02-24T14:02:49.1+05:30', 'short fraction'],
  ['20230224', '1402', '+1400', '2023-02-24T14:02:00+14:00', 'no seconds'],
  ['20230224', '14', '+0100', '2023-02-24', 'hour only'],
  ['20230224', '14:02:49', '+0100', '2023-02-24T14:02:49+01:00', 'time as in ACR-NEMA'],
  ['2023.02.24', '140249 ', '+0100', '2023-02-24T14:02:49+01:00', 'date as in ACR-NEMA, padding'],
  ['20230224', '256199', '+0100', '2023-02-24', 'no such time'],
  ['20230224', '140249', '+2500', '2023-02-24', 'no such zone'],
  ['20230224', '140249', 'EST', '2023-02-24', 'zone by name'],
  ['20230224', undefined, '+0100', '2023-02-24', 'no time'],
  ['20230224', '', '+0100', '2023-02-24', 'empty time'],
  ['202302', '140249', '+0100', '2023-02', 'month'],
  ['2023', undefined, undefined, '2023', 'year'],
  ['20240229', undefined, undefined, '2024-02-29', 'leap day'],
  ['20230229', undefined, undefined, undefined, 'no leap day'],
  ['20231301', undefined, undefined, undefined, 'no such month'],
  ['00000000', undefined, undefined, undefined, 'zeros'],
  ['', '140249', '+0100', undefined, 'no date'],
  [undefined, '140249', '+0100', undefined, 'missing date'],
  ['20230224-20230225', undefined, undefined, undefined, 'range'],
  ['yesterday', undefined, undefined, undefined, 'text'],
])('IA-16 date %s time %s zone %s → %s (%s)', (date, time, offset, expected) => {
  expect(fhirDateTime(date, time, offset)).toBe(expected);
});
