import { expect, test } from 'vitest';
import { takesCoding } from './accept-encoding.ts';

test.each<[header: string, br: boolean, gzip: boolean]>([
  ['', false, false],
  ['br', true, false],
  ['gzip, br', true, true],
  ['GZIP;q=0.5,Br ; Q=1', true, true],
  ['br;q=0, gzip;q=0.001', false, true],
  ['br ; q=0.000,gzip;q=0.', false, false],
  ['my-br, gzip-2', false, false],
  ['*', false, false],
])('RFC 9110 §12.5.3 Accept-Encoding %j takes br: %s, gzip: %s', (header, br, gzip) => {
  expect([takesCoding(header, 'br'), takesCoding(header, 'gzip')]).toEqual([br, gzip]);
});
