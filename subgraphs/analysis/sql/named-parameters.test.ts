import { expect, test } from 'vitest';
import { engineParameters } from './named-parameters.ts';

test.each([
  ['a comparison', 'code = :code', 'code = $code'],
  ['without spaces', 'code=:code', 'code=$code'],
  ['a list of values', 'code IN (:a, :b)', 'code IN ($a, $b)'],
  ['at the beginning', ':a', '$a'],
  ['after a word', 'SELECT :a WHERE :b AND :c', 'SELECT $a WHERE $b AND $c'],
  ['with a cast', ':a::DATE', '$a::DATE'],
  ['as a cast', 'CAST(:a AS DATE)', 'CAST($a AS DATE)'],
  ['in a list', '[:a, :b]', '[$a, $b]'],
  ['in a list with its word', 'ARRAY[:a, array[:b]]', 'ARRAY[$a, array[$b]]'],
  ['in a list, after SIMILAR TO', '[id SIMILAR TO :p]', '[id SIMILAR TO $p]'],
  ['in a list, after a word', '[CASE WHEN :a THEN :b END]', '[CASE WHEN $a THEN $b END]'],
  ['as a member', '{code: :code}', '{code: $code}'],
  ['after a cast', 'x::INTEGER = :n', 'x::INTEGER = $n'],
  ['as an end of a slice', 'codes[1: :n]', 'codes[1: $n]'],
  ['after a bracket', '(codes[1:2]) = :c', '(codes[1:2]) = $c'],
  ['after a dollar text', '$$:no$$ = :yes', '$$:no$$ = $yes'],
  [
    'after a comment',
    '/* :no /* :no */ :no */ :yes -- :no\n:yes',
    '/* :no /* :no */ :no */ $yes -- :no\n$yes',
  ],
  ['after a text with a backslash', "'\\' = :yes", "'\\' = $yes"],
  ['after an escaped quote', "E'\\':no' = :yes", "E'\\':no' = $yes"],
  ['after a name that ends with e', "name'x' = :yes", "name'x' = $yes"],
])('a parameter: %s', (_what, sql, written) => {
  expect(engineParameters(sql)).toBe(written);
});

test.each([
  ['a text', "':a'"],
  ['a text with quotes', "'it''s :a'"],
  ['a text with escapes', "E'\\' :a'"],
  ['a text without end', "'a :b"],
  ['a name', '":a" AS "x "" :b"'],
  ['a dollar text', '$$ :a $$'],
  ['a tagged dollar text', '$x$ :a $$ :b $y$ :c $x$'],
  ['a dollar text without end', '$x$ :a $$'],
  ['a comment', '-- :a'],
  ['a comment in a comment', '/* /* */ :a */'],
  ['a comment without end', '/* :a'],
  ['a cast', "'1'::INTEGER, x::integer"],
  ['a cast with spaces', 'x :: integer'],
  ['a slice', 'codes[a:b], codes[1:n], codes[:n], codes[n:], f(x)[:n], codes[1][:n]'],
  ['a slice with spaces', 'codes[a :b]'],
  ['members', '{a:b, \'c\':d, "e":f, g :h}'],
  ['a map', "MAP {'a':b, 1:c}"],
  ['an alias before', 'SELECT total:amount'],
  ['an argument', 'f(a := b)'],
  ['a number', 'x :1'],
])('none: %s', (_what, sql) => {
  expect(engineParameters(sql)).toBe(sql);
});

test('64 kB of colons, quotes and brackets take no longer than a text', () => {
  for (const part of [':', ':a', "'", '[', '/*', '$', '$a$', "E'", '\\', '"', ':a[', '{:'])
    expect(engineParameters(part.repeat(65_536 / part.length))).toHaveLength(
      Math.floor(65_536 / part.length) * part.length,
    );
});
