/**
 * `npm run fuzz`: thousands of damaged inputs, the same in every run.
 *
 *     npm run fuzz -- --seconds 600 --seed 7
 *     npm run fuzz -- --seed 7 --target graphql-documents --case 1234
 *
 * Every case has to end in an answer or a refusal with a reason, within bounds of time and memory; a case sent to the
 * whole gateway must not block its event loop either. Any other case is a finding: it is printed with the command
 * that runs it alone, and the program ends with exit code 1.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Assignment, Progress } from './fuzz/run.ts';

/** Milliseconds that one case may take, on a machine with other load. */
const CASE = 8_000;
/** Milliseconds within which a target has to be ready for its cases. */
const OPENING = 60_000;
/** Bytes by which memory may grow after the first cases of a target. */
const GROWTH = 700 * 1024 * 1024;
/** Number of findings after which the run stops. */
const ENOUGH = 20;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    case: { type: 'string' },
  },
});
const assignment: Assignment = {
  seed: Number(values.seed),
  seconds: Number(values.seconds),
  ...(values.target !== undefined && { target: values.target }),
  ...(values.case !== undefined && { only: Number(values.case) }),
};

let findings = 0;
let at = { target: values.target ?? 'start', number: 0, until: Date.now() + OPENING };
let [before, most] = [0, 0];

function found(what: string, { target, number } = at): void {
  console.log(`FOUND ${target} ${number}: ${what}`);
  console.log(`  again: npm run fuzz -- --seed ${values.seed} --target ${target} --case ${number}`);
  if (++findings >= ENOUGH) end();
}

function end(): never {
  child.kill('SIGKILL');
  console.log(`memory grew by at most ${Math.round(most / 1e6)} MB; ${findings} findings`);
  process.exit(findings > 0 ? 1 : 0);
}

// A separate process: it may end up in an endless loop, or die.
const child = fork(new URL('./fuzz/run.ts', import.meta.url), [JSON.stringify(assignment)], {
  execArgv: ['--import', 'tsx'],
});
child.on('message', (progress: Progress) => {
  if ('error' in progress) found(progress.error, { ...at, ...progress });
  else if ('cases' in progress)
    console.log(`${progress.target}: ${progress.cases} cases in ${progress.seconds.toFixed(1)} s`);
  else if ('opening' in progress) {
    at = { target: progress.target, number: 0, until: Date.now() + OPENING };
    // Memory that earlier targets have taken does not count.
    before = 0;
  } else at = { ...progress, until: Date.now() + CASE };
});
child.on('exit', (code, signal) => {
  if (code !== 0) found(`the process ended, ${signal ?? code}`);
  end();
});

setInterval(() => {
  if (before === 0 && at.number > 10) before = residentBytes();
  const grown = before > 0 ? residentBytes() - before : 0;
  most = Math.max(most, grown);
  if (grown > GROWTH) {
    found(`memory has grown by ${Math.round(grown / 1e6)} MB`);
    end();
  }
  if (Date.now() > at.until) {
    found('still running at the end of its time');
    end();
  }
}, 100).unref();

function residentBytes(): number {
  try {
    return Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}
