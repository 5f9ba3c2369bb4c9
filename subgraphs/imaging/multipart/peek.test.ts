import { expect, test } from 'vitest';
import { peek } from './peek.ts';

test('closes a body when its reader leaves within the first bytes', async () => {
  let closed = false;
  async function* body(): AsyncGenerator<Buffer, void, void> {
    try {
      for (;;) yield Buffer.from('DICM');
    } finally {
      closed = true;
    }
  }
  const { found, bytes } = await peek(body(), (head) => head.length, 100);
  expect(found).toBe(4);
  for await (const chunk of bytes) {
    expect(String(chunk)).toBe('DICM');
    break;
  }
  expect(closed).toBe(true);
});
