import { expect, test } from 'vitest';
import { isSimplePath } from './simple-path.ts';

/** SM-15: what a dynamic tenant may have us evaluate. */

test.each([
  "identifier.where(type.coding.code='MR').value",
  'identifier.value.first()',
  "identifier.where(type.coding.where(system='http://terminology.hl7.org/CodeSystem/v2-0203' and code = 'MR').exists()).value",
  "identifier.where((use = 'usual') or (system.startsWith('urn:oid:1.2'))).value | identifier.value.last()",
  "identifier.where(type.text = 'matches(x)').value",
])('%s: yes', (expression) => expect(isSimplePath(expression)).toBe(true));

test.each([
  "identifier.value.where($this.matches('^(a+)+$'))",
  "identifier.value.where($this.replaceMatches ('(a+)+$', ''))",
  'identifier.aggregate($total.combine($total), identifier)',
  'repeat(identifier)',
  "identifier.value.where($this.matches/* */('a'))",
  "identifier.value.where($this.matches\n('a'))",
  "identifier.value.where($this.`matches`('a'))",
  'identifier.value.where($this."matches"(x))',
  "identifier.where(value = 'it\\'s').value.matches('a')",
  "identifier.where(value = 'odd).matches('a')",
  'identifier.where(%resource.identifier.where(%resource.identifier.exists()).exists())',
  `identifier.where(${'value.exists() and '.repeat(20)}true)`,
])('%s: no', (expression) => expect(isSimplePath(expression)).toBe(false));
