import { expect, test } from 'vitest';
import { keyLabel, keyName } from './keys.ts';

const press = (key: string, modifiers: Partial<KeyboardEvent> = {}) => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  ...modifiers,
});

test.each([
  [press('ArrowDown'), 'ArrowDown'],
  [press('ArrowUp', { shiftKey: true }), 'Shift+ArrowUp'],
  [press('?', { shiftKey: true }), '?'],
  [press('+', { shiftKey: true }), '+'],
  [press('R', { shiftKey: true }), 'Shift+r'],
  [press('R'), 'r'],
  [press('z', { ctrlKey: true }), 'Control+z'],
  [press('z', { metaKey: true, shiftKey: true }), 'Control+z'],
  [press('ß', { altKey: true }), undefined],
  [press('Shift', { shiftKey: true }), undefined],
])('the name of key %#', (event, name) => expect(keyName(event)).toBe(name));

test.each([
  ['Shift+ArrowUp', 'Shift+↑'],
  ['Control+z', 'Ctrl+Z'],
  ['+', '+'],
  ['Escape', 'Esc'],
  ['?', '?'],
])('the label of %s is %s', (name, label) => expect(keyLabel(name)).toBe(label));
