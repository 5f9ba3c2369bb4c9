import { once } from 'node:events';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { chunksOf } from './chunks.ts';

test.each([
  ['with an error', new Error('cut'), 'cut'],
  ['without an error', undefined, 'closed before its end'],
])('DW-13 fails at once for a stream that was closed %s before reading', async (_, error, message) => {
  const stream = new Readable({ read: () => undefined }).on('error', () => undefined);
  stream.destroy(error);
  await once(stream, 'close').catch(() => undefined);
  await expect(chunksOf(stream).next()).rejects.toThrow(message);
});
