/** The process in which the cases run. It reports its progress to the process that watches it. */
import { hash } from '../../../subgraphs/imaging/test/fuzz/random.ts';
import { Random } from '../setup/random.ts';
import { FuzzedGateway } from './fuzzed-gateway.ts';
import { TARGETS } from './targets.ts';

/** The cases to run, as JSON in the first argument. */
export interface Assignment {
  seed: number;
  /** Time for all targets together; a target runs at least 5 cases even if they take longer. */
  seconds: number;
  /** The name of the only target to run, and the number of its only case. */
  target?: string;
  only?: number;
}

/** A report: a target is being prepared, a case begins, a case has a finding, a target has ended. */
export type Progress =
  | { target: string; opening: true }
  | { target: string; number: number }
  | { target: string; number: number; error: string }
  | { target: string; cases: number; seconds: number };

/** Least number of cases of each target. */
const FEWEST = 5;

const report = (progress: Progress): unknown => process.send!(progress);
const { seed, seconds, target: named, only } = JSON.parse(process.argv[2]!) as Assignment;

const targets = TARGETS.filter(({ name }) => named === undefined || name === named);
let at = { target: '', number: 0 };
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => report({ ...at, error: `${event}: ${textOf(error)}` }));

for (const target of targets) {
  report({ target: target.name, opening: true });
  await target.open?.();
  const started = Date.now();
  let cases = 0;
  for (
    let number = only ?? 0;
    cases < FEWEST || Date.now() - started < (seconds * 1000) / targets.length;
    number++
  ) {
    report((at = { target: target.name, number }));
    try {
      // The case depends on nothing before it, so that it can be run again alone.
      await target.run(new Random(hash(`${seed} ${target.name} ${number}`)));
    } catch (error) {
      report({ ...at, error: textOf(error) });
    }
    cases++;
    if (only !== undefined) break;
  }
  await target.close?.();
  report({ target: target.name, cases, seconds: (Date.now() - started) / 1000 });
}
await FuzzedGateway.stopShared();
process.disconnect();

/** Returns the text of an error and of its causes. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = (error.stack ?? error.message).split('\n').slice(0, 5).join('\n');
  return error.cause === undefined ? text : `${text}\n  because of ${textOf(error.cause)}`;
}
