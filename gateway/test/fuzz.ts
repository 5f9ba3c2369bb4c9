/**
 * `npm run fuzz`: bad input by the thousand, the same in every run.
 *
 *     npm run fuzz -- --seconds 600 --seed 7
 *     npm run fuzz -- --seed 7 --target graphql-documents --case 1234
 *
 * Every case has to end in an answer or in a refusal in clear words, within a bound of time and of memory; one that is
 * sent to the whole gateway may not hold its event loop either. Each case that does not is a finding: it is printed with
 * the command that runs it alone, and the program ends with 1.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Assignment, Told } from './fuzz/run.ts';

/** Milliseconds that one case may take, on a machine that has other work too. */
const CASE = 8_000;
/** Milliseconds in which a target has to be ready for its cases. */
const OPENING = 60_000;
/** Bytes that memory may grow by after the first cases of a target. */
const GROWTH = 700 * 1024 * 1024;
/** Findings after which it is not worth going on. */
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

// A process of its own: it may be in a loop that hears nothing, or die.
const child = fork(new URL('./fuzz/run.ts', import.meta.url), [JSON.stringify(assignment)], {
  execArgv: ['--import', 'tsx'],
});
child.on('message', (told: Told) => {
  if ('error' in told) found(told.error, { ...at, ...told });
  else if ('cases' in told)
    console.log(`${told.target}: ${told.cases} cases in ${told.seconds.toFixed(1)} s`);
  else if ('opening' in told) {
    at = { target: told.target, number: 0, until: Date.now() + OPENING };
    // What the targets before have taken is not of this one.
    before = 0;
  } else at = { ...told, until: Date.now() + CASE };
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
    found('still busy when its time is over');
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
