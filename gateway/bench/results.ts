/** `RESULTS.md`: what each benchmark measured last, and where. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { isMet, type Figure } from './measure.ts';

const HEAD = `# Results of the benchmarks

Written by \`npm run bench\`, one part for each benchmark, with the machine on which it ran. Figures of different parts, or of
different machines, cannot be compared: other load changes them by a third and more. Ratios are of one run, alternated.

Of the federated request there are two figures. \`peers\` sends one prepared text with known tokens, again and again: an app in
production. \`cold\` sends a text, an id or a token that the gateway has not seen: analysts, and apps that write values into their
texts. Whoever cites a figure says which of the two it is; where both may be meant, it is the one of \`cold\`.
`;

export const TABLE_HEAD = '| benchmark | figure | must be | |\n|---|---:|---:|---|\n';

/** Returns a line of the table. */
export function row(figure: Figure): string {
  const { what, value, unit, atLeast, atMost } = figure;
  const number = value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  const bound = atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : '';
  const verdict = bound ? (isMet(figure) ? 'met' : 'MISSED') : '';
  return `| ${what} | ${number} ${unit} | ${bound} | ${verdict} |`;
}

/** Returns the version of Node and the processors. */
export function machine(): string {
  return `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`;
}

/**
 * Puts the figures of a benchmark in place of those that it had.
 * @param file `RESULTS.md` of a folder of benchmarks
 * @param name of the benchmark
 */
export function writeResults(file: string, name: string, figures: readonly Figure[]): void {
  const parts = existsSync(file) ? partsOf(readFileSync(file, 'utf8')) : new Map<string, string>();
  const date = new Date().toISOString().slice(0, 10);
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  const table = figures.map((figure) => `${row(figure)}\n`).join('');
  parts.set(name, `${date}, commit ${commit}, ${machine()}\n\n${TABLE_HEAD}${table}`);
  const texts = [...parts]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([of, text]) => `\n## ${of}\n\n${text}`);
  writeFileSync(file, HEAD + texts.join(''));
}

function partsOf(text: string): Map<string, string> {
  const [, ...parts] = text.split(/^## /m);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), `${part.slice(end).trim()}\n`];
    }),
  );
}
