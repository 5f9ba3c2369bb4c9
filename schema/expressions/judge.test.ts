import { expect, test } from 'vitest';
import { refusalOf } from './judge.ts';

/** FG-23, SM-15: the FHIRPath of other parties that is evaluated. */

const ALLOWED = [
  "code.coding.where(code = '8302-2').exists()",
  "code.coding.exists(system = 'http://loinc.org' and code in ('a' | 'b'))",
  "category.all(coding.code = 'vital-signs') or status != 'final' xor status.empty().not()",
  'value is Quantity implies (value as Quantity).value > 5.5',
  'value.ofType(Quantity).value >= -1 and component.count() = 2',
  "name.given.first().startsWith('A') or name[0].family.upper().endsWith('Z') or name.last().text.length() < 3",
  "valueQuantity > 140 'mm[Hg]'",
  'period.start <= today() and period.end >= @2020-01-01 and effective < now()',
  "extension('http://example.org/x').value = 'y'",
  "given contains 'Ana' and $this ~ 'b' and $this !~ 'c'",
  "identifier.where(type.coding.where(system='http://terminology.hl7.org/CodeSystem/v2-0203' and code = 'MR').exists()).value",
  "identifier.where((use = 'usual') or (system.startsWith('urn:oid:1.2'))).value | identifier.value.last()",
  "identifier.where(type.text = 'matches(x)').value /* matches('x') */",
  'text.`div`.exists()',
  '{}.empty()',
];

test.each(ALLOWED)('allows %s to everybody', (expression) => {
  for (const rules of ['argument', 'dynamicTenant', 'tenantFile'] as const)
    expect(refusalOf(expression, rules)).toBeUndefined();
});

test.each<[expression: string, reason: string | RegExp]>([
  ["value.matches('^(a+)+$')", /^calls matches\(\), which is not allowed; allowed are where, exists, all,/],
  ["value.`matches`('^(a+)+$')", 'calls a function by a name in backticks; write it without them'],
  ["value.`\\u006datches`('^(a+)+$')", /in backticks/],
  ['value.`exists`()', /in backticks/],
  ["value.matches/**/('^(a+)+$')", /^calls matches\(\)/],
  ["value.matches/* */('a')", /^calls matches\(\)/],
  ["value.matches // x\n('a')", /^calls matches\(\)/],
  ["where($this.replaceMatches ('(a+)+$', ''))", /^calls replaceMatches\(\)/],
  ["value = 'it\\'s' or value.matches('a')", /^calls matches\(\)/],
  ["'a'.replace('a', 'aa').replace('a', 'aa')", /^calls replace\(\)/],
  ['select($this.combine($this))', /^calls select\(\)|^calls combine\(\)/],
  ['identifier.aggregate($total.combine($total), identifier)', /^calls (aggregate|combine)|uses \$total/],
  ['repeat(item).exists()', /^calls repeat\(\)/],
  ['descendants().exists()', /^calls descendants\(\)/],
  ['children().exists()', /^calls children\(\)/],
  ["trace('x').exists()", /^calls trace\(\)/],
  ['reference.resolve().exists()', /^calls resolve\(\)/],
  ["code.memberOf('http://example.org')", /^calls memberOf\(\)/],
  ['iif(true, 1, 2) = 1', /^calls iif\(\)/],
  ["value.toString() = '1'", /^calls toString\(\)/],
  ["value.join('') = '1'", /^calls join\(\)/],
  ["value.split('') = '1'", /^calls split\(\)/],
  ['value.distinct().exists()', /^calls distinct\(\)/],
  ['sort(given desc).exists()', /^calls sort\(\)/],
  ['`sort`(given).exists()', /in backticks/],
  ["defineVariable('a').exists()", /^calls defineVariable\(\)/],
  ['toString.constructor()', /^calls constructor\(\)/],
  ['%resource.exists()', 'uses a variable (%…), which is not allowed'],
  ['%`vs-x`.exists()', 'uses a variable (%…), which is not allowed'],
  ['$index = 0', 'uses $index, which is not allowed'],
  ['$total.exists()', 'uses $total, which is not allowed'],
  ["given & 'a' = 'b'", 'uses the operators + - &, which is not allowed'],
  ['period.end > today() - 6 months', 'uses the operators + - &, which is not allowed'],
  ['2 * 2 = 4', 'uses the operators * / div mod, which is not allowed'],
  ['Quantity { value: 4 }.exists()', 'uses a constructed object, which is not allowed'],
  ['value > 4L', 'uses a long number, which is not allowed'],
  ['constructor.name.exists()', 'names an element that FHIR does not have'],
  ['`__proto__`.exists()', 'names an element that FHIR does not have'],
  ['__path__.exists()', 'names an element that FHIR does not have'],
  ['exists(a, b)', 'calls exists() with 2 arguments'],
  ['where()', 'calls where() with 0 arguments'],
  ['value >', 'is not FHIRPath (line 1, column 8)'],
  ['value."matches"(x)', 'is not FHIRPath (line 1, column 7)'],
  ["where(value = 'odd).matches('a')", /^is not FHIRPath \(line 1/],
  ['', 'is not FHIRPath (line 1, column 1)'],
  [`${'number > 0 and '.repeat(60)}true`, 'is longer than 500 characters'],
  ['('.repeat(500), 'has more than 40 brackets'],
  [`${'where('.repeat(12)}true${')'.repeat(12)}`, 'nests deeper than 10 levels'],
  [`${'('.repeat(12)}true${')'.repeat(12)}`, 'nests deeper than 10 levels'],
  [`a${'[a'.repeat(12)}${']'.repeat(12)}`, 'nests deeper than 10 levels'],
])('refuses %s', (expression, reason) => {
  const refusal = refusalOf(expression, 'argument');
  if (typeof reason === 'string') expect(refusal).toBe(reason);
  else expect(refusal).toMatch(reason);
  if (expression.length <= 300) expect(refusalOf(expression, 'dynamicTenant')).toBe(refusal);
});

test('allows fewer characters to a dynamic tenant', () => {
  const expression = `identifier.where(${'value.exists() and '.repeat(20)}true)`;
  expect(refusalOf(expression, 'dynamicTenant')).toBe('is longer than 300 characters');
  expect(refusalOf(expression, 'argument')).toBeUndefined();
});

test.each([
  "identifier.value.select(replaceMatches('^0+', ''))",
  "identifier.where(system.matches('^urn:oid:1')).value.substring(3)",
  "identifier.select(assigner.display & '-' & value)",
  'iif(identifier.exists(), identifier.value.skip(1).take(1), {})',
])('allows %s only to the operator', (expression) => {
  expect(refusalOf(expression, 'tenantFile')).toBeUndefined();
  expect(refusalOf(expression, 'dynamicTenant')).toMatch(/which is not allowed/);
});

test.each(['repeat(identifier)', 'identifier.descendants()', 'identifier.aggregate($total.combine($total))'])(
  'refuses %s also to the operator',
  (expression) => expect(refusalOf(expression, 'tenantFile')).toMatch(/which is not allowed/),
);

test.each<[expression: string, reason: string | undefined]>([
  ["coding.where(system = 'http://loinc.org').code.first()", undefined],
  ["'a' in given and rank >= -1 or (use = 'usual').not()", undefined],
  ['given.first() = family', 'compares elements with each other'],
  ['given contains family', 'compares elements with each other'],
  ['period ~ contact.period', 'compares elements with each other'],
  ['given | family', 'uses the operator |'],
  ["value > 5 'mg'", 'uses a quantity'],
  ['$index', 'uses $index'],
])('FG-26 @slice: %s', (expression, reason) => {
  const refusal = refusalOf(expression, 'slice');
  expect(refusal?.startsWith(reason ?? '-') ? reason : refusal).toBe(reason);
});
