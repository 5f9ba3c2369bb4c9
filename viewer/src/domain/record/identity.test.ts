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

describe('the patient of an image and of the record', () => {
  test.each<[string, Instance, string, string[]]>([
    ['all agree', image('CASTELLANOS^HELEN^MARIE', '4711', '19720501'), 'same', []],
    ['no middle name', image('Castellanos^Helen', '4711', '19720501'), 'same', []],
    ['an initial', image('Castellanos^Helen^M', '4711'), 'same', []],
    ['another hospital’s number', image('Castellanos^Helen', 'X-9', '19720501'), 'same', []],
    ['the number alone', image(undefined, '4711'), 'same', []],
    ['another name', image('Whitfield^George', '4711', '19720501'), 'different', ['name']],
    ['a namesake', image('Castellanos^Helen', '4711', '19900101'), 'different', ['birthDate']],
    ['a sister', image('Castellanos^Rosa', '815', '19720501'), 'different', ['name', 'number']],
    ['another number, nothing else', image(undefined, '815'), 'different', ['number']],
    ['another number, no birth date', image('Castellanos^Helen', '815'), 'different', ['number']],
    ['nobody named', image(), 'unknown', []],
    ['empty values', image('', ''), 'unknown', []],
  ])('%s', (_case, metadata, outcome, differs) => {
    const { outcome: found, differs: parts } = compareIdentity(HELEN, metadata);
    expect({ found, parts }).toEqual({ found: outcome, parts: differs });
  });

  test('accents and the order of names do not count', () => {
    const person = { ...HELEN, name: 'María José Álvarez-Núñez' };
    expect(compareIdentity(person, image('ALVAREZ NUNEZ^MARIA JOSE')).outcome).toBe('same');
  });
});
