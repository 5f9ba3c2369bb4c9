/**
 * `npm run soak`: the whole system at 70 % of what it can answer, for many minutes. Memory and open files of each process have
 * to stay as they are, and every answer has to be right. Needs root and a machine with nothing else to do.
 *
 *     MINUTES=60 npm run soak
 *
 * It compares the median of the last fifth of the time with that of the second fifth; the exit code is 1 when a process has
 * grown by more than 5 % and 2 MB, or has more files open.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../bench/measure.ts';
import { runOverSystem } from './chaos/command.ts';
import type { Load } from './chaos/questions.ts';
import { atRate } from './chaos/run.ts';
import { sampleOf, type Sample } from './chaos/samples.ts';
import type { System } from './chaos/system.ts';

const MINUTES = Number(process.env['MINUTES'] ?? 10);
/** Part of the capacity. */
const PART = 0.7;
/** Seconds in which the capacity is measured, and requests under way in these. */
const [MEASURED, BUSY] = [10, 32];
/** Milliseconds between two samples, and between two renewals of the tokens. */
const [EVERY, RENEWAL] = [5_000, 200_000];
/** A process may grow by this part, and have so many more files open; a small one varies by some megabytes. */
const [GROWTH, MEGABYTES, FILES] = [0.05, 2, 8];

await runOverSystem(async (system, load) => {
  const capacity = await capacityOf(load);
  const rate = Math.max(1, Math.floor(capacity * PART));
  console.log(
    `${capacity.toFixed(0)} requests/s with ${BUSY} under way; ${rate} requests/s for ${MINUTES} min`,
  );
  return soak(system, load, rate);
});

/** Returns the answers in a second while as many requests as `BUSY` are under way. */
async function capacityOf({ questions }: Load): Promise<number> {
  let next = 0;
  const end = performance.now() + MEASURED * 1000;
  const ask = async () => {
    while (performance.now() < end) await questions[next++ % questions.length]!.ask();
  };
  await Promise.all(Array.from({ length: BUSY }, ask));
  return next / MEASURED;
}

async function soak(system: System, load: Load, rate: number): Promise<string[]> {
  const { questions } = load;
  const kinds = new Map<string, number>();
  const open = new Set<Promise<void>>();
  const stop = atRate(rate, (number) => {
    const asked = questions[number % questions.length]!.ask().then(({ kind }) => {
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      open.delete(asked);
    });
    open.add(asked);
  });
  const renewing = setInterval(() => void load.renewTokens(), RENEWAL);
  const samples: Record<string, Sample>[] = [];
  const end = Date.now() + MINUTES * 60_000;
  try {
    while (Date.now() < end) {
      await delay(EVERY);
      samples.push(await sampleOf(system));
    }
  } finally {
    clearInterval(renewing);
    await stop();
    await Promise.all(open);
  }
  const others = [...kinds].filter(([kind]) => kind !== 'right');
  console.log(`answers: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`);
  return [...others.map(([kind, count]) => `${count} answers were ${kind}`), ...growth(samples)];
}

/** Prints a line for each process. @returns what has grown */
function growth(samples: readonly Record<string, Sample>[]): string[] {
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const [early, late] = [samples.slice(fifth, 2 * fifth), samples.slice(-fifth)];
  const findings: string[] = [];
  for (const name of Object.keys(samples[0] ?? {})) {
    const both = (of: keyof Sample) =>
      [early, late].map((part) => median(part.map((one) => one[name]![of]))) as [number, number];
    const [memory, heap, files] = [both('memory'), both('heap'), both('files')];
    const grown = memory[1] / memory[0] - 1;
    const shown = ([before, after]: [number, number]) => `${before.toFixed(0)} → ${after.toFixed(0)}`;
    const percent = `${(grown * 100).toFixed(1)} %`;
    console.log(
      `${name.padEnd(12)} memory ${shown(memory)} MB (${percent}), heap ${shown(heap)} MB, files ${shown(files)}`,
    );
    if (grown > GROWTH && memory[1] - memory[0] > MEGABYTES) findings.push(`${name}: ${percent} more memory`);
    if (files[1] - files[0] > FILES) findings.push(`${name}: ${files[1] - files[0]} more open files`);
  }
  return findings;
}
