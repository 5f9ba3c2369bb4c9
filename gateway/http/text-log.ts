import { styleText } from 'node:util';

const LEVELS: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO ',
  40: 'WARN ',
  50: 'ERROR',
  60: 'FATAL',
};

interface LoggedError {
  type?: string;
  message?: string;
  stack?: string;
  cause?: LoggedError;
}

/**
 * Writes a line of the log for people: local time, level, message, the other members, and below an error with its causes.
 * Colours are only in a terminal, and not with NO_COLOR.
 * @param json a line of JSON
 */
export function textLine(json: string): string {
  const {
    level,
    time,
    msg = '',
    err,
    error,
    ...others
  } = JSON.parse(json) as { level: number; time: string; msg?: string; err?: LoggedError; error?: unknown };
  const members = { ...others, ...(!isLoggedError(error) && { error }) };
  const fields = Object.entries(members).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${shown(value)}`],
  );
  const clock = styleText('dim', new Date(time).toTimeString().slice(0, 8));
  const line = [clock, coloured(level), escaped(msg), ...fields].join(' ');
  return `${line}\n${linesOf(err ?? (isLoggedError(error) ? error : undefined))}`;
}

function coloured(level: number): string {
  const name = LEVELS[level] ?? String(level);
  return level >= 40 ? styleText(level >= 50 ? 'red' : 'yellow', name) : name;
}

const isLoggedError = (value: unknown): value is LoggedError => typeof value === 'object' && value !== null;

function linesOf(error: LoggedError | undefined): string {
  if (!error) return '';
  const { type = 'Error', message = '', stack = '', cause } = error;
  const frames = stack
    .split('\n')
    .filter(Boolean)
    .map((frame) => `  ${escaped(frame)}\n`);
  return `  ${escaped(`${type}: ${message}`)}\n${frames.join('')}${linesOf(cause)}`;
}

const shown = (value: unknown): string =>
  escaped(typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value));

/** Escapes what would control the terminal, or look like another line: a client or source may have sent it. */
const escaped = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
