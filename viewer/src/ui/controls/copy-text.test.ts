import { afterEach, expect, test, vi } from 'vitest';
import { copyText } from './copy-text.ts';

afterEach(() => void vi.unstubAllGlobals());

test.each([
  ['is copied', { clipboard: { writeText: async () => undefined } }, true],
  [
    'is not, where the person refuses',
    { clipboard: { writeText: () => Promise.reject(new Error()) } },
    false,
  ],
  ['is not, on a page without TLS, which has no clipboard', {}, false],
])('a text %s', async (_what, navigator, isCopied) => {
  vi.stubGlobal('navigator', navigator);
  expect(await copyText('text')).toBe(isCopied);
});
