import { expect, test } from 'vitest';
import { sendersOf } from './senders.ts';

test.each([
  ['dimse://127.0.0.1:104', '127.0.0.1', '127.0.0.2'],
  ['dimse://[::1]:104', '::1', '::2'],
  ['dimse://[2001:db8::7]:104', '2001:db8::7', '2001:db8::8'],
])('DW-26 accepts an archive at %s only from its own address', async (endpoint, own, other) => {
  const senders = await sendersOf({ endpoint, calledAe: 'PACS', senders: undefined });
  expect(senders.includes(own, 'PACS')).toBe(true);
  expect(senders.includes(own, 'ELSE')).toBe(false);
  expect(senders.includes(other, 'PACS')).toBe(false);
});
