import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { firstBytes } from './timeout.ts';

const empty = () => new Readable({ read() {} });

test.each<[string, (stream: Readable) => unknown]>([
  ['has bytes', (stream) => stream.push('1')],
  ['has ended', (stream) => stream.push(null)],
])('stops waiting for a stream that %s', async (_what, act) => {
  const [before, meanwhile] = [empty(), empty()];
  act(before);
  await firstBytes(before);
  const waiting = firstBytes(meanwhile);
  act(meanwhile);
  await waiting;
});

test.each<[string, Error | undefined, object]>([
  ['with an error', new Error('cut'), { message: 'cut' }],
  ['without an error', undefined, { code: 'bad_gateway' }],
])('DW-13 fails for an empty stream that is destroyed %s', async (_what, error, failure) => {
  const [before, meanwhile] = [empty(), empty()];
  const failed = new Promise((resolve) => before.once('close', resolve).on('error', () => undefined));
  before.destroy(error);
  await failed;
  await expect(firstBytes(before)).rejects.toMatchObject(failure);
  const waiting = firstBytes(meanwhile);
  meanwhile.destroy(error);
  await expect(waiting).rejects.toMatchObject(failure);
});

test('does not wait for a stream that was read to its end', async () => {
  const stream = Readable.from([Buffer.from('1')]);
  await stream.toArray();
  await firstBytes(stream);
});
