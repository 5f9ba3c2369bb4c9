import { describe, expect, test } from 'vitest';
import { compareIdentity } from './identity.ts';
import type { Instance } from '../instance.ts';
import type { Person } from './record.ts';

const HELEN: Person = { id: '1', name: 'Helen Marie Castellanos', birthDate: '1972-05-01', mrns: ['4711'] };
const image = (name?: string, number?: string, birthDate?: string): Instance => ({
  ...(name !== undefined && { '00100010': { vr: 'PN', Value: [{ Alphabetic: name }] } }),
  ...(number !== undefined && { '00100020': { vr: 'LO', Value: [number] } }),
  ...(birthDate !== undefined && { '00100030': { vr: 'DA', Value: [birthDate] } }),
});

const removed: Instance = { '00120062': { vr: 'CS', Value: ['YES'] } };

describe('the patient of an image and of the record', () => {
  test.each<[string, Instance, string, string[]]>([
    ['all agree', image('CASTELLANOS^HELEN^MARIE', '4711', '19720501'), 'same', []],
    ['no middle name', image('Castellanos^Helen', '4711', '19720501'), 'same', []],
    ['an initial', image('Castellanos^Helen^M', '4711'), 'same', []],
    ['another hospital’s number', image('Castellanos^Helen', 'X-9', '19720501'), 'same', []],
    ['another name', image('Whitfield^George', '4711', '19720501'), 'different', ['name']],
    ['a namesake', image('Castellanos^Helen', '4711', '19900101'), 'different', ['birthDate']],
    ['a sister', image('Castellanos^Rosa', '815', '19720501'), 'different', ['name', 'number']],
    ['another number, nothing else', image(undefined, '815'), 'different', ['number']],
    ['another number, no birth date', image('Castellanos^Helen', '815'), 'different', ['number']],
    ['the number alone', image(undefined, '4711'), 'nameless', []],
    ['the birth date alone', image('', '', '19720501'), 'nameless', []],
    ['a name that was removed', image('REMOVED', '4711'), 'nameless', []],
    ['a name that was removed, another number', image('REMOVED', '815'), 'different', ['number']],
    [
      'a name that was removed, another birth date',
      image('', '4711', '19900101'),
      'different',
      ['birthDate'],
    ],
    ['name and number removed', image('Anonymous^Patient', 'ANONYMOUS'), 'unknown', []],
    ['name and number removed, the birth date agrees', image('', 'removed', '19720501'), 'nameless', []],
    ['the number again as a name', image('4711', '4711'), 'nameless', []],
    ['another number again as a name', image('LIDC-0815', 'LIDC-0815'), 'different', ['number']],
    ['de-identified, a code as a name', { ...image('CASE-017', '4711'), ...removed }, 'nameless', []],
    ['a code as a name, not de-identified', image('CASE-017', '4711'), 'different', ['name']],
    [
      'de-identified, another name',
      { ...image('Whitfield^George', '4711'), ...removed },
      'different',
      ['name'],
    ],
    ['de-identified, another number', { ...image('', '815'), ...removed }, 'different', ['number']],
    [
      'de-identified, another birth date',
      { ...image('', '4711', '19900101'), ...removed },
      'different',
      ['birthDate'],
    ],
    ['de-identified, the name is there', { ...image('Castellanos^Helen', '4711'), ...removed }, 'same', []],
    ['de-identified, nothing else', removed, 'unknown', []],
    ['nobody named', image(), 'unknown', []],
    ['empty values', image('', ''), 'unknown', []],
  ])('%s', (_case, metadata, outcome, differs) => {
    const { outcome: found, differs: parts } = compareIdentity(HELEN, metadata);
    expect({ found, parts }).toEqual({ found: outcome, parts: differs });
  });

  test('without a number and a birth date of the record, only the name can agree', () => {
    const person = { id: '1', name: 'Helen Castellanos', mrns: [] };
    expect(compareIdentity(person, image('REMOVED', '815', '19900101')).outcome).toBe('unknown');
    expect(compareIdentity(person, image('Castellanos^Helen', '815')).outcome).toBe('same');
  });

  test.each(
    'REMOVED|Removed^Name|Anonymous|ANONYMOUS^PATIENT|Anonymized12|anonymised|anon|De-Identified|DeIdentified^Subject|NO^NAME|Unknown^Unknown|XXXX|patient^name^removed|Anónimo|Redacted'.split(
      '|',
    ),
  )('%s is no name', (name) => expect(compareIdentity(HELEN, image(name, '4711')).outcome).toBe('nameless'));

  test.each('Anon^Somchai|No^Min-jun|Doe^John|Unknown^Baby Boy|Patience^Ann|Xu|Name^Ivan'.split('|'))(
    '%s is a name',
    (name) => expect(compareIdentity(HELEN, image(name, '4711')).differs).toEqual(['name']),
  );

  test('accents and the order of names do not count', () => {
    const person = { ...HELEN, name: 'María José Álvarez-Núñez' };
    expect(compareIdentity(person, image('ALVAREZ NUNEZ^MARIA JOSE')).outcome).toBe('same');
  });
});
