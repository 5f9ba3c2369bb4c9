import { expect, test } from 'vitest';
import { heldTag, isHeldBy, tagOf } from './entity-tag.ts';

test.each<[ifNoneMatch: string | undefined, tag: string, held: string | undefined]>([
  [undefined, '"a"', undefined],
  ['', '"a"', undefined],
  ['"a"', '"a"', '"a"'],
  ['W/"a"', '"a"', 'W/"a"'],
  ['"a"', 'W/"a"', '"a"'],
  ['W/"a"', 'W/"a"', 'W/"a"'],
  [' "b" ,W/"a" ', 'W/"a"', 'W/"a"'],
  ['"b","a"', '"a"', '"a"'],
  ['"a,b"', '"a,b"', '"a,b"'],
  ['"x", "a,b" , "c"', 'W/"a,b"', '"a,b"'],
  ['"a,b"', '"a"', undefined],
  ['"ab"', '"a"', undefined],
  ['w/"a"', '"a"', undefined],
  ['a', '"a"', undefined],
  ['*', '"a"', undefined],
])('RFC 9110 §13.1.2 If-None-Match %s lists %s as %s', (ifNoneMatch, tag, held) => {
  expect(heldTag(ifNoneMatch, tag)).toBe(held);
  expect(isHeldBy(ifNoneMatch, tag)).toBe(held !== undefined || ifNoneMatch === '*');
});

test.each<[ifNoneMatch: string, tag: string | undefined, held: boolean]>([
  ['*', undefined, true],
  [' * ', undefined, true],
  ['"a"', undefined, false],
  // `*` counts only alone; in a list it is no entity tag.
  ['"b", *', '"a"', false],
  ['"*"', '"a"', false],
])('RFC 9110 §13.1.2 a caller with If-None-Match %s holds %s: %s', (ifNoneMatch, tag, held) => {
  expect(isHeldBy(ifNoneMatch, tag)).toBe(held);
});

test('an entity tag is strong and depends on the content', () => {
  expect(tagOf('one')).toMatch(/^"[\w-]{22}"$/);
  expect(tagOf('one')).toBe(tagOf(Buffer.from('one')));
  expect(tagOf('one')).not.toBe(tagOf('two'));
});
