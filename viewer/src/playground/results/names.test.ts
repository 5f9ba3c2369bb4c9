import { expect, test } from 'vitest';
import { listsOf, tableOf, withNames } from './lists.ts';

test('names a concept without a text by its first display, and changes nothing else', () => {
  const concepts = [
    { text: 'Asthma', coding: [{ display: 'Asthma (disorder)' }] },
    { text: null, coding: [{ display: null }, { display: 'Gout' }, { display: 'Gout, other' }] },
    { text: null, coding: [{ display: null }] },
    null,
  ];
  const data = { ConditionList: concepts.map((code) => ({ code, note: [{ text: null }] })) };
  const table = tableOf(data, listsOf(data)[0]!);
  const named = withNames(table);
  const texts = ({ columns, rows }: typeof table, name: string) =>
    rows.map((cells) => cells[columns.findIndex((column) => column.name === name)]);
  expect(texts(table, 'code.text')).toEqual(['Asthma', null, null, null]);
  expect(texts(named, 'code.text')).toEqual(['Asthma', 'Gout', null, null]);
  expect(texts(named, 'note.text')).toEqual([null, null, null, null]);
  expect(named.columns).toEqual(table.columns);
  const without = tableOf({ list: [{ text: null }] }, listsOf({ list: [{ text: null }] })[0]!);
  expect(withNames(without)).toBe(without);
});
