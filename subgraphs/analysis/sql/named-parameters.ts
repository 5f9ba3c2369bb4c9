/** Words after which a value begins, although they look like a name. */
const BEFORE_VALUE = new Set(
  'and array between by case distinct else escape from having ilike in is like limit not offset on or over select then to values when where'.split(
    ' ',
  ),
);

/** Quoted texts and comments: in them, a colon is a colon. A nested comment is read by `endOfComment`. */
const QUOTED =
  /(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|--[^\n\r]*|(?<![\w$])\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/suy;
const WORD = /[\p{L}\p{N}_$]+/uy;
const NAME = /:(?=[A-Za-z_])/y;
const CAST_OR_ARGUMENT = /::|:=/y;

/**
 * Writes the parameters of SQL on FHIR (`:name`) as those of the engine (`$name`). Each has as many characters as before, so
 * that places in the text stay. Not a parameter: a colon in texts, names, comments, casts (`::`), slices (`[a:b]`) and
 * members (`{a: b}`).
 */
export function engineParameters(sql: string): string {
  const open: string[] = [];
  let written = '';
  /** The last token: a value or name, or the character itself. */
  let last = '';
  for (let at = 0; at < sql.length;) {
    const end = endOfToken(sql, at);
    const token = sql.slice(at, end);
    const character = token[0]!;
    if (isParameter(sql, at, { last, open: open.at(-1) })) {
      written += '$';
      at++;
      last = ':';
      continue;
    }
    if ('([{'.includes(character)) open.push(character === '[' && isOperand(last) ? 'slice' : character);
    else if (')]}'.includes(character)) open.pop();
    if (!/^(\s|--|\/\*)/.test(token)) last = token;
    written += token;
    at = end;
  }
  return written;
}

/** @param around the token before, and the bracket around it */
function isParameter(sql: string, at: number, around: { last: string; open: string | undefined }): boolean {
  if (!matchEnd(NAME, sql, at) || /[\p{L}\p{N}_$'"]/u.test(sql[at - 1] ?? '')) return false;
  const { last, open } = around;
  if (open === 'slice') return last !== '[' && !isOperand(last);
  return open === '[' || open === '{' ? !isOperand(last) : true;
}

/** Tells whether a value or name ends with a token. */
const isOperand = (token: string): boolean =>
  /^([)\]}'"$]|[eE]'|[\p{L}\p{N}_])/u.test(token) && !BEFORE_VALUE.has(token.toLowerCase());

function endOfToken(sql: string, at: number): number {
  if (sql.startsWith('/*', at)) return endOfComment(sql, at);
  const quoted = matchEnd(QUOTED, sql, at);
  if (quoted !== undefined) {
    const isDollar = sql[at] === '$';
    const close = isDollar ? sql.indexOf(sql.slice(at, quoted), quoted) : -1;
    return !isDollar ? quoted : close < 0 ? sql.length : close + quoted - at;
  }
  return (
    matchEnd(CAST_OR_ARGUMENT, sql, at) ??
    matchEnd(WORD, sql, at) ??
    at + (sql.codePointAt(at)! > 0xffff ? 2 : 1)
  );
}

/** Returns the end of a comment, which may have others in it. */
function endOfComment(sql: string, at: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
