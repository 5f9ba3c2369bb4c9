/** Answers of `$sql-run` as the page shows them. */
import { parseExactJson } from '../../../../schema/fhir/decimal.ts';
import type { Answer, Asked, GraphqlError } from '../answer.ts';

/** Rows that the page shows; a file has all. */
export const MOST_ROWS = 10_000;

/** Reads rows for the table: at most `MOST_ROWS`, and the server is told to send no more. */
export async function shownAnswer(asked: Asked, response: Response, began: number): Promise<Answer> {
  const { lines, isCut, bytes, isBroken } = await linesOf(response);
  const rows = lines.map((line) => parseExactJson(line));
  const columns = Object.keys((rows[0] as object | undefined) ?? {});
  const errors: GraphqlError[] = isBroken
    ? [saidError(`The rows broke off after ${rows.length.toLocaleString('en')}: run the query again.`)]
    : [];
  return {
    asked,
    status: response.status,
    milliseconds: performance.now() - began,
    bytes,
    text: `[${lines.join(',\n')}]`,
    json: { data: { rows }, ...(errors.length > 0 && { errors }) },
    isCut,
    columns,
  };
}

/** Returns the names in the first record of CSV (RFC 4180). */
export function namesInCsv(text: string): string[] {
  const cells = text.matchAll(/"((?:[^"]|"")*)"(?:,|\r\n)|([^",\r\n]*)(?:,|\r\n)/gy);
  return [...cells].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!);
}

async function linesOf(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const lines: string[] = [];
  let rest = '';
  let bytes = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      bytes += part.value.length;
      const [first = '', ...others] = part.value.split('\n');
      rest += first;
      for (const line of others) {
        if (rest !== '') lines.push(rest);
        rest = line;
      }
      if (lines.length <= MOST_ROWS) continue;
      void reader.cancel().catch(() => undefined);
      return { lines: lines.slice(0, MOST_ROWS), isCut: true, bytes, isBroken: false };
    }
    if (rest !== '') lines.push(rest);
    return { lines, isCut: false, bytes, isBroken: false };
  } catch {
    // What came of the last row is none.
    return { lines, isCut: false, bytes, isBroken: true };
  }
}

/** Returns the answer of a statement that was refused, in the words of the server. */
export function refusedAnswer(asked: Asked, status: number, text: string, milliseconds: number): Answer {
  return {
    asked,
    status,
    milliseconds,
    bytes: text.length,
    text,
    json: {
      data: null,
      errors: [saidError(sentenceIn(text) ?? `The server sent no rows. HTTP status: ${status}.`)],
    },
  };
}

/** An error whose message says what to do. */
const saidError = (message: string): GraphqlError => ({ message, extensions: { remedy: '' } });

/** Returns the sentence of an OperationOutcome; undefined for another text. */
export function sentenceIn(text: string): string | undefined {
  try {
    const { issue } = JSON.parse(text) as {
      issue?: readonly { diagnostics?: string; details?: { text?: string } }[];
    };
    return issue?.[0]?.details?.text ?? issue?.[0]?.diagnostics;
  } catch {
    return undefined;
  }
}

/** Returns the line that an error of the statement is in, from 1; undefined where it names none. */
export function errorLine(message: string): number | undefined {
  const line = /^Line (\d+):/.exec(message)?.[1];
  return line === undefined ? undefined : Number(line);
}
