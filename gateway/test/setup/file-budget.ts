/**
 * Vitest's setup file of the usual tests: fails a file that takes more of `npm test` than one may. It counts processor
 * time, because other programs share the wall clock; of the programs that a file starts, those that it has ended.
 */
import { readFileSync } from 'node:fs';
import { afterAll, expect } from 'vitest';

/** On a quiet machine. One that is full takes half as long again for the same work. */
const SECONDS = 20;
const FULL = 1.5;
/** The first file of a process, whichever it is, also loads the modules for the others. */
const FIRST = 2;
/** Ticks of the kernel's clock in a second (USER_HZ). */
const TICKS = 100;

/** Files share a process, which keeps what its files have used. */
const kept = globalThis as { fileBudgetUsed?: number };

afterAll(() => {
  const before = kept.fileBudgetUsed;
  const used = processorSeconds();
  kept.fileBudgetUsed = used;
  const allowed = SECONDS * FULL * (before === undefined ? FIRST : 1);
  expect(
    used - (before ?? 0),
    `seconds of processor time: make this file shorter, or name it *.whole.test.ts, for \`npm run test:all\``,
  ).toBeLessThan(allowed);
});

/** Returns the processor time of this process and its ended children, in seconds (proc(5)); 0 where it is not Linux. */
function processorSeconds(): number {
  try {
    // The name of the program, in parentheses, may have spaces.
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
  } catch {
    return 0;
  }
}
