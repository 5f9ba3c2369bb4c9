/** Names of keys, as commands have them: `Shift+ArrowUp`, `Control+z`, `?`. */

/** Input types in which a key does not write. */
const NO_TEXT = ['button', 'checkbox', 'color', 'radio', 'range', 'reset', 'submit'];

/** Attribute of a region that scrolls, or has a choice, by arrow keys. */
const OWN_ARROWS = 'data-own-arrows';

type KeyPress = Pick<KeyboardEvent, 'key' | 'shiftKey' | 'ctrlKey' | 'altKey' | 'metaKey'>;

/**
 * Returns the name of a key press. Shift is named for keys that do not change with it; Control also stands for the Command
 * key of a Mac. Undefined with Alt, which writes letters on many keyboards.
 */
export function keyName({ key, shiftKey, ctrlKey, altKey, metaKey }: KeyPress): string | undefined {
  if (altKey || ['Shift', 'Control', 'Meta', 'Dead'].includes(key)) return undefined;
  const letter = key.length === 1;
  const shift = shiftKey && (!letter || key !== key.toLowerCase()) ? 'Shift+' : '';
  const control = ctrlKey || metaKey ? 'Control+' : '';
  return `${control}${shift}${letter ? key.toLowerCase() : key}`;
}

/** True if a key writes into the element. */
export function writesText(element: EventTarget | null): boolean {
  if (!(element instanceof HTMLElement)) return false;
  if (element instanceof HTMLInputElement) return !NO_TEXT.includes(element.type);
  return element.isContentEditable || ['TEXTAREA', 'SELECT'].includes(element.tagName);
}

/** True for an element of a dialog: keys change nothing on the page behind it. */
export function isInDialog(element: EventTarget | null): boolean {
  return element instanceof HTMLElement && element.closest('[role="dialog"]') !== null;
}

/** True if the element itself answers the key: a button to Enter and Space, a slider to arrows. */
export function answersItself(element: EventTarget | null, key: string): boolean {
  if (!(element instanceof HTMLElement)) return false;
  if (key === 'Enter' || key === ' ')
    return element.matches('button, a[href], summary, input, [role="button"], [role="option"], [role="tab"]');
  const moves = /^(Arrow|Page|Home|End)/.test(key);
  return moves && element.closest(`input, [${OWN_ARROWS}]`) !== null;
}

const SYMBOLS: Record<string, string> = {
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  PageUp: 'PgUp',
  PageDown: 'PgDn',
  Escape: 'Esc',
  Control: 'Ctrl',
};

/** Returns a key as it stands on keyboards: `Shift+↑`. */
export function keyLabel(name: string): string {
  if (name === '+') return name;
  return name
    .split(/\+(?=.)/)
    .map((part) => SYMBOLS[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join('+');
}
