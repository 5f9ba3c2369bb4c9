import { describe, expect, it } from 'vitest';
import { objectsOf } from '../test/view-objects.ts';
import { compileView } from './compile-view.ts';
import { ViewDefinitionError, ViewValueError } from './findings.ts';

const id = { name: 'id', path: 'id' };
const column = (path: string, more: object = {}) => ({
  resource: 'Patient',
  select: [{ column: [id, { name: 'c', path, ...more }] }],
});

function findingsOf(definition: unknown): string[] {
  try {
    compileView(definition);
  } catch (error) {
    expect(error).toBeInstanceOf(ViewDefinitionError);
    return (error as ViewDefinitionError).findings.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe('a wrong ViewDefinition is told with its place', () => {
  it.each<[string, unknown, string]>([
    ['no object', 'x', ': This is no ViewDefinition.'],
    [
      'an element that does not exist',
      column('name.famly'),
      'select[0].column[1].path: HumanName has no element famly. Is family meant?',
    ],
    [
      'an element of a text',
      column('gender.code'),
      'select[0].column[1].path: code has no elements, so no code.',
    ],
    [
      'an unknown function',
      column('name.frist().family'),
      'select[0].column[1].path: The function frist() is not supported. Is first() meant?',
    ],
    ['no FHIRPath', column('name.'), 'select[0].column[1].path: This is not FHIRPath at line 1, column 6.'],
    [
      'a value with elements',
      column('name.first()'),
      'select[0].column[1].path: A HumanName has elements: name one of them.',
    ],
    [
      'another type',
      column('birthDate', { type: 'boolean' }),
      'select[0].column[1].type: The path gives a date, which is no boolean.',
    ],
    [
      'an unknown type',
      column('birthDate', { type: 'dat' }),
      'select[0].column[1].type: A column cannot have this type. Is date meant?',
    ],
    [
      'a choice that is never of the type',
      column('deceased.ofType(string)'),
      'select[0].column[1].path: Patient.deceased is never a string; it may be: boolean, dateTime.',
    ],
    ['an unknown constant', column('%x'), 'select[0].column[1].path: There is no constant %x.'],
    [
      'a name of JavaScript',
      column('constructor'),
      'select[0].column[1].path: There is no element constructor.',
    ],
    [
      'an extension of a primitive',
      column("birthDate.extension('x').value"),
      'select[0].column[1].path: Extensions of primitive elements are not supported.',
    ],
    [
      'a bad name',
      column('gender', { name: 'a-b' }),
      'select[0].column[1].name: A name begins with a letter, and has letters, digits and _ only.',
    ],
    [
      'two equal names',
      column('gender', { name: 'ID' }),
      'select[0].column[1].name: There are two columns ID.',
    ],
    [
      'a misspelt element',
      { resource: 'Patient', select: [{ foreach: 'name', column: [id] }] },
      'select[0].foreach: There is no such element. Is forEach meant?',
    ],
    [
      'two loops',
      {
        resource: 'Patient',
        select: [{ forEach: 'name', repeat: ['contact'], column: [{ name: 'x', path: 'use' }] }],
      },
      'select[0]: Only one of forEach, repeat is possible.',
    ],
    [
      'a condition that is no boolean',
      { ...column('gender'), where: [{ path: 'gender' }] },
      'where[0].path: The condition gives a code, not a boolean.',
    ],
    [
      'an expression without end',
      column('('.repeat(50)),
      'select[0].column[1].path: The expression has more than 40 brackets.',
    ],
  ])('%s', (_what, definition, finding) => {
    expect(findingsOf(definition)).toContain(finding);
  });

  it('with all mistakes at once', () => {
    const definition = {
      select: [
        { column: [{ name: '1', path: 'id' }] },
        { forEach: 'name', column: [{ name: 'a', path: '@@' }] },
      ],
    };
    expect(findingsOf(definition).map((line) => line.slice(0, line.indexOf(':')))).toEqual([
      'resource',
      'select[0].column[0].name',
      'select[1].column[0].path',
    ]);
  });

  it('or of a unionAll with other columns', () => {
    const branches = [{ column: [id] }, { column: [{ name: 'other', path: 'id' }] }];
    expect(findingsOf({ resource: 'Patient', select: [{ unionAll: branches }] })).toEqual([
      'select[0].unionAll[1]: All parts of a unionAll have the same columns in the same order. The first has: id; this one: other.',
    ]);
  });
});

const valueOf = (path: string, resource: object, more: object = {}) =>
  objectsOf(compileView({ ...column(path, more), resource: 'Observation' }), [
    { resourceType: 'Observation', id: 'o', ...resource },
  ])[0]!['c'];

describe('values', () => {
  it.each<[string, object, unknown]>([
    ['value.ofType(Quantity).value', { valueQuantity: { value: 2 } }, 2],
    ['value.ofType(Quantity).value + 1', { valueQuantity: { value: 2 } }, 3],
    ['value.ofType(Quantity).value / 0', { valueQuantity: { value: 2 } }, null],
    ['(value as Quantity).unit', { valueQuantity: { unit: 'mg' } }, 'mg'],
    ['value is Quantity', { valueString: 'x' }, false],
    ['value.exists()', { valueString: 'x' }, true],
    ["code.coding.code contains 'b'", { code: { coding: [{ code: 'a' }, { code: 'b' }] } }, true],
    ['code.coding[1].code', { code: { coding: [{ code: 'a' }, { code: 'b' }] } }, 'b'],
    ['code.coding.count()', {}, 0],
    ["iif(status = 'final', 'yes', 'no')", { status: 'final' }, 'yes'],
    ["status = 'final' and code.exists()", { status: 'final' }, false],
    ["code.text = 'x' or status = 'final'", { status: 'final' }, true],
    ['effective.ofType(dateTime) < @2020-06-01', { effectiveDateTime: '2020-05' }, true],
    ['effective.ofType(dateTime) = @2020-05-01', { effectiveDateTime: '2020-05' }, null],
    [
      'effective.ofType(dateTime) = issued',
      { effectiveDateTime: '2020-05-01T10:00:00+02:00', issued: '2020-05-01T08:00:00Z' },
      true,
    ],
    ["'it\\'s ' + status", { status: 'final' }, "it's final"],
    ['code.text & status', { status: 'final' }, 'final'],
    ['code.text.substring(1, 2).upper()', { code: { text: 'abcd' } }, 'BC'],
    [
      "performer.where(reference.startsWith('P')).first().getReferenceKey(Patient)",
      { performer: [{ reference: 'Patient/1/_history/2' }] },
      '1',
    ],
    ['Observation.status', { status: 'final' }, 'final'],
    [
      'effective.ofType(dateTime).highBoundary()',
      { effectiveDateTime: '2020-02' },
      '2020-02-29T23:59:59.999-12:00',
    ],
  ])('of %s', (path, resource, value) => {
    expect(valueOf(path, resource)).toEqual(value);
  });

  it('of a list are refused unless the column is a collection', () => {
    const code = { coding: [{ code: 'a' }, { code: 'b' }] };
    expect(() => valueOf('code.coding.code', { code })).toThrow(ViewValueError);
    expect(() => valueOf('code.coding.code', { code })).toThrow(
      'select[0].column[1].path: There are several values',
    );
    expect(valueOf('code.coding.code', { code }, { collection: true })).toEqual(['a', 'b']);
  });

  it('of loops beside each other do not disturb each other', () => {
    const view = compileView({
      resource: 'Patient',
      select: [
        {
          forEach: 'name',
          column: [{ name: 'name', path: 'family' }],
          select: [{ forEach: 'given', column: [{ name: 'given', path: '$this' }] }],
        },
        {
          forEach: 'contact',
          column: [
            { name: 'contact', path: 'name.family' },
            { name: 'at', path: '%rowIndex' },
          ],
        },
      ],
    });
    const name = [
      { family: 'A', given: ['a', 'b'] },
      { family: 'B', given: ['c'] },
    ];
    const contact = [{ name: { family: 'X' } }, { name: { family: 'Y' } }];
    const rows = objectsOf(view, [{ resourceType: 'Patient', name, contact }]);
    expect(rows.map((row) => Object.values(row).join(' '))).toEqual([
      'A a X 0',
      'A a Y 1',
      'A b X 0',
      'A b Y 1',
      'B c X 0',
      'B c Y 1',
    ]);
  });
});
