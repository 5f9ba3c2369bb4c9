import { expect, test } from 'vitest';
import { hostOf } from './network.ts';

test.each([
  ['dimse://[::1]:104', '::1'],
  ['https://[2001:db8::7]/x', '2001:db8::7'],
  ['https://pacs.example.org:8042', 'pacs.example.org'],
  ['dimse://10.0.0.7:104', '10.0.0.7'],
])('the host of %s is %s', (url, host) => {
  expect(hostOf(new URL(url))).toBe(host);
});
