/**
 * `npm run bench`: runs every `*.bench.ts` of this folder, or those whose name contains an argument, and prints one
 * table. Each exports `bench(): Promise<Figure[]>`. Ends with exit code 1 when a figure misses a bound. `npm run
 * bench:viewer` does so with the folder `viewer/bench`: an argument with a slash names the folder.
 */
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { isMet, type Figure } from './measure.ts';

// As in a deployment: libraries check more without it.
process.env['NODE_ENV'] ??= 'production';

const wanted = process.argv.slice(2).filter((argument) => !argument.includes('/'));
const named = process.argv.slice(2).find((argument) => argument.includes('/'));
const folder = named === undefined ? import.meta.dirname : resolve(named);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.bench.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));

const model = cpus()[0]?.model ?? 'unknown processor';
process.stdout.write(`Node ${process.version}, ${cpus().length} × ${model}\n\n`);
process.stdout.write('| benchmark | figure | must be | |\n|---|---:|---:|---|\n');
for (const file of files.sort()) {
  const { bench } = (await import(join(folder, file))) as { bench(): Promise<Figure[]> };
  for (const figure of await bench()) {
    process.stdout.write(`${row(figure)}\n`);
    if (!isMet(figure)) process.exitCode = 1;
  }
}

function row(figure: Figure): string {
  const { what, value, unit, atLeast, atMost } = figure;
  const number = value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  const bound = atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : '';
  const verdict = bound ? (isMet(figure) ? 'met' : 'MISSED') : '';
  return `| ${what} | ${number} ${unit} | ${bound} | ${verdict} |`;
}
