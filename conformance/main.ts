#!/usr/bin/env node
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { ALL_CHECKS } from './checks/all.ts';
import { parseOptions, USAGE, UsageError, type Options } from './options.ts';
import { resultLines, summaryLines } from './report/console.ts';
import { htmlReport } from './report/html.ts';
import { junitReport } from './report/junit.ts';
import { run, type Listener } from './run.ts';

/** Least time between two lines of progress, in milliseconds. */
const PROGRESS = 200;

const print = (text: string) => process.stdout.write(`${text}\n`);

/** Prints results as they come, and on a terminal what the running check does. */
function terminal(): Listener {
  const coloured = process.stdout.isTTY && !process.env['NO_COLOR'];
  let running = '';
  let shown = 0;
  const show = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  };
  return {
    begin({ id, name }) {
      running = `${id} ${name} …`;
      show(running);
    },
    progress(text) {
      if (Date.now() - shown < PROGRESS) return;
      shown = Date.now();
      show(`${running} ${text}`);
    },
    end(result) {
      show('');
      print(resultLines(result, coloured));
    },
  };
}

/** @returns the exit status: 0, or 1 if a requirement is not met @throws UsageError if no check could be made */
async function check(options: Options): Promise<number> {
  const report = await run(options, terminal());
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  write(options.json, json);
  write(options.html, htmlReport(report, createHash('sha256').update(json).digest('hex')));
  write(options.junit, junitReport(report));
  if (report.totals.skipped === report.results.length)
    throw new UsageError('No check was made: all were skipped.');
  print(`\n${summaryLines(report)}`);
  return report.conforms ? 0 : 1;
}

function write(path: string | undefined, text: string): void {
  try {
    if (path !== undefined) writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(
      `The report cannot be written: ${error instanceof Error ? error.message : 'no reason'}`,
    );
  }
}

try {
  const command = parseOptions(process.argv.slice(2), process.env);
  if (command === 'help') print(USAGE);
  else if (command === 'list')
    for (const { id, name, level, sentence } of ALL_CHECKS)
      print(`${level.padEnd(6)} ${id}/${name}: ${sentence}`);
  else process.exitCode = await check(command);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n--help prints all options.\n`);
  process.exitCode = 2;
}
