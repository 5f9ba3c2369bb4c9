/**
 * `npm run bench`: runs every `*.bench.ts` of this folder, or those whose name contains an argument, prints one table, and
 * writes `RESULTS.md`. Each exports `bench(): Promise<Figure[]>`. Ends with exit code 1 when a figure misses a bound. `npm run
 * bench:viewer` does so with the folder `viewer/bench`: an argument with a slash names the folder.
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isMet, type Figure } from './measure.ts';
import { machine, row, TABLE_HEAD, writeResults } from './results.ts';

// As in a deployment: libraries check more without it.
process.env['NODE_ENV'] ??= 'production';

const wanted = process.argv.slice(2).filter((argument) => !argument.includes('/'));
const named = process.argv.slice(2).find((argument) => argument.includes('/'));
const folder = named === undefined ? import.meta.dirname : resolve(named);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.bench.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));

process.stdout.write(`${machine()}\n\n${TABLE_HEAD}`);
for (const file of files.sort()) {
  const { bench } = (await import(join(folder, file))) as { bench(): Promise<Figure[]> };
  const figures = await bench();
  for (const figure of figures) {
    process.stdout.write(`${row(figure)}\n`);
    if (!isMet(figure)) process.exitCode = 1;
  }
  // Without its parts, a benchmark measures nothing.
  if (figures.length > 0) writeResults(join(folder, 'RESULTS.md'), file.replace('.bench.ts', ''), figures);
}
