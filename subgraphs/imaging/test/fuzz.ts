/**
 * Bad input by the thousand, the same in every run:
 *
 *     npx tsx subgraphs/imaging/test/fuzz.ts --seconds 600 --seed 7
 *     npx tsx subgraphs/imaging/test/fuzz.ts --seed 7 --target render --case 1234
 *
 * Every case has to end in an answer or in a refusal in clear words, within a bound of time and of memory. What does
 * not is told with what it takes to run that case alone, and the program ends with 1.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Assignment, Told } from './fuzz/run.ts';
import { TARGETS } from './fuzz/targets.ts';

/** Milliseconds that one case may take, on a machine that has other work too. */
const CASE = 8_000;
/** Bytes that memory may grow by after the first cases. */
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
const share = values.target === undefined ? TARGETS.length : 1;
const assignment: Assignment = {
  seed: Number(values.seed),
  seconds: Number(values.seconds) / share,
  ...(values.target !== undefined && { target: values.target }),
  ...(values.case !== undefined && { only: Number(values.case) }),
};

let findings = 0;
let at = { target: values.target ?? 'start', number: 0, since: Date.now() };
let [before, peak] = [0, 0];

function found(what: string, { target, number } = at): void {
  console.log(`FOUND ${target} ${number}: ${what}`);
  console.log(
    `  again: npx tsx subgraphs/imaging/test/fuzz.ts --seed ${values.seed} --target ${target} --case ${number}`,
  );
  if (++findings >= ENOUGH) end();
}

function end(): never {
  child.kill('SIGKILL');
  console.log(`memory grew by at most ${Math.round((peak - before) / 1e6)} MB; ${findings} findings`);
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
  else at = { ...told, since: Date.now() };
});
child.on('exit', (code, signal) => {
  if (code !== 0) found(`the process ended, ${signal ?? code}`);
  end();
});

setInterval(() => {
  const grown = residentBytes() - before;
  if (before === 0 && at.number > 10) before = residentBytes();
  peak = Math.max(peak, before + grown);
  if (before > 0 && grown > GROWTH) {
    found(`memory has grown by ${Math.round(grown / 1e6)} MB`);
    end();
  }
  if (Date.now() - at.since > CASE + (at.target === 'start' ? 30_000 : 0)) {
    found(`still busy after ${CASE / 1000} s`);
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
