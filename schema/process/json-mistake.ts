/** The kind of token that has to come next. */
type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | 'colon' | 'comma or }' | 'comma or ]' | 'end';

const WORDS: Readonly<Record<Expected, string>> = {
  value: 'a value',
  'value or ]': 'a value or ]',
  name: 'a name in double quotes',
  'name or }': 'a name in double quotes or }',
  colon: 'a colon',
  'comma or }': 'a comma or }',
  'comma or ]': 'a comma or ]',
  end: 'the end of the text',
};

const SPACE = /[ \t\r\n]*/y;
const TEXT = String.raw`"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"`;
const NUMBER = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])`;
const TOKEN = new RegExp(String.raw`[{}[\],:]|${TEXT}|${NUMBER}|(?:true|false|null)\b`, 'y');

/**
 * Finds the first mistake in a text that is not JSON (RFC 8259), for its author. `JSON.parse` has no place in some of its
 * messages, and quotes the text, which may be a secret.
 * @returns line, column and what is expected there, such as `line 3, column 5: a comma or } is expected`
 */
export function jsonMistake(text: string): string {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let before = '';
  for (let at = matchEnd(SPACE, text, 0); ; at = matchEnd(SPACE, text, at)) {
    const end = matchEnd(TOKEN, text, at);
    const token = text.slice(at, end);
    const next: Expected | '' | undefined = token && nextOf(expected, token, open);
    if (!next) {
      const lines = text.slice(0, at).split('\n');
      return `line ${lines.length}, column ${lines.at(-1)!.length + 1}: ${reasonOf(expected, { text, at, before })}`;
    }
    [expected, before, at] = [next, token, end];
  }
}

/** Returns what comes after a token, and notes in `open` what it opens or closes; undefined for a wrong token. */
function nextOf(expected: Expected, token: string, open: ('{' | '[')[]): Expected | undefined {
  const after = (): Expected => {
    const around = open.at(-1);
    return around === undefined ? 'end' : around === '{' ? 'comma or }' : 'comma or ]';
  };
  if (/^[}\]]$/.test(token)) {
    if (!expected.endsWith(` or ${token}`)) return undefined;
    open.pop();
    return after();
  }
  if (expected === 'colon') return token === ':' ? 'value' : undefined;
  if (expected.startsWith('comma')) {
    if (token !== ',') return undefined;
    return open.at(-1) === '{' ? 'name' : 'value';
  }
  if (expected.startsWith('name')) return token.startsWith('"') ? 'colon' : undefined;
  if (expected === 'end' || token === ',' || token === ':') return undefined;
  if (token !== '{' && token !== '[') return after();
  open.push(token);
  return token === '{' ? 'name or }' : 'value or ]';
}

function reasonOf(
  expected: Expected,
  { text, at, before }: { text: string; at: number; before: string },
): string {
  const words = WORDS[expected];
  const found = text[at];
  if (found === undefined) return `the text ends before ${words}`;
  if (found === '"' && /^(value|name)/.test(expected)) return 'this text has no end, or a wrong escape';
  const comma = before === ',' && /[}\]]/.test(found) ? `, and no comma before ${found}` : '';
  return `${words} is expected${comma}`;
}

/** Returns the end of the match of a sticky pattern, or `at` without one. */
function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** Parses JSON that an operator has written. @param wrong makes the error of `is not JSON: …`, without the text */
export function parseJson(text: string, wrong: (reason: string) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong(`is not JSON: ${jsonMistake(text)}`);
  }
}
