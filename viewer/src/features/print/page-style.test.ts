import { expect, test } from 'vitest';
import { cssString, isolated, PAGE, PAGES, pageStyle } from './page-style.ts';

test.each([
  ['a quote', 'Anna "Nan" O\'Neil', '"Anna \\22 Nan\\22  O\'Neil"'],
  ['a backslash', 'A\\B', '"A\\5c B"'],
  ['an escape of its own', '\\22 ; } body { display: none', '"\\5c 22 ; } body { display: none"'],
  ['a new line', 'A\nB\r\fC', '"A\\a B\\d \\c C"'],
  ['the end of a style', '</style><script>', '"\\3c /style>\\3c script>"'],
  ['NUL', 'A\0B', '"A\\0 B"'],
  ['right to left', 'محمد الأمين', '"محمد الأمين"'],
  ['nothing', '', '""'],
])('%s in a string of CSS', (_what, text, expected) => {
  expect(cssString(text)).toBe(expected);
});

test('a text of another direction is isolated, and has one line', () => {
  expect(isolated('\u202EAnna\n  Weiss')).toBe('\u2068\u202EAnna Weiss\u2069');
});

test('a page says who, when, for what not, its number, and has a ruler', () => {
  const style = pageStyle({
    who: ['Anna', 'born 1972'],
    date: 'today',
    purpose: 'not for it',
    ruler: '50 mm',
    page: `page ${PAGE} of ${PAGES}`,
  });
  expect(style).toContain('content: "Anna" "\\a " "born 1972"');
  expect(style).toContain('"page " counter(page) " of " counter(pages) ""');
  expect(style).toMatch(/@bottom-left \{\s+content: "50 mm";\s+width: 50mm/);
});
