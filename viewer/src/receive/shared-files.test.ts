import { CompactEncrypt } from 'jose';
import { expect, test } from 'vitest';
import { decrypted } from './shared-files.ts';

const bytes = new Uint8Array(32).map((_, index) => index * 7);
const key = () => crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['decrypt']);

function encrypted(text: string, header: object = {}): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header })
    .encrypt(bytes);
}

test.each<[string, string, object]>([
  ['as it is', 'Größe', {}],
  ['compressed', 'a'.repeat(100_000), { zip: 'DEF' }],
  ['empty', '', {}],
])('a file %s is decrypted', async (_what, text, header) => {
  expect(await decrypted(await encrypted(text, header), await key())).toBe(text);
});

test('a changed file, head or tag is not', async () => {
  const jwe = await encrypted('a text');
  for (let part = 0; part < 5; part++) {
    // The key is not in the file.
    if (part === 1) continue;
    const parts = jwe.split('.');
    parts[part] = `${parts[part]!.startsWith('A') ? 'B' : 'A'}${parts[part]!.slice(1)}`;
    await expect(decrypted(parts.join('.'), await key())).rejects.toThrow();
  }
});

test('nor is one of another encryption', async () => {
  const other = await new CompactEncrypt(new TextEncoder().encode('a'))
    .setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM' })
    .encrypt(bytes);
  await expect(decrypted(other, await key())).rejects.toThrow('another encryption');
});
