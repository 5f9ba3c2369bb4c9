/** Asks at a fixed rate while faults happen, and judges every answer. */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Fault } from './faults.ts';
import type { Load, Question, Verdict } from './questions.ts';

/** Answers to what was asked from the beginning of one fault to that of the next. */
export interface Figures {
  fault: string;
  asked: number;
  /** Honest refusals by kind. */
  honest: Record<string, number>;
  /** The same by kind and explanation. */
  explained: Record<string, number>;
  wrong: number;
  /** Answers with anything of another patient. */
  crossed: number;
  /** Seconds for which the part was away. */
  away: number;
  /** Seconds from the first to the last request that was refused. */
  window: number;
  /** Seconds after the part was back until the last request that was still refused. */
  recovery: number;
  /** Seconds of the slowest answer. */
  slowest: number;
}

export interface ChaosRun {
  /** Requests each second. */
  rate: number;
  /** Milliseconds after a part is back in which nothing else happens. */
  calm: number;
  report(figures: Figures): void;
}

/** Seconds after a part is back within which all is right again. */
const RECOVERY = 5;
/** Seconds that no answer may take, whatever is away. */
const LONGEST = 30;
/** Milliseconds within which a system that has just been started answers as fast as it is asked. */
const WARM_UP = 90_000;
/** The clock ends by itself after this many requests. */
const MANY = 10_000_000;

/** Runs the faults. @returns the rules that were broken; none in a system as it should be */
export async function runChaos(load: Load, faults: readonly Fault[], run: ChaosRun): Promise<string[]> {
  const findings: string[] = [];
  // Processes that have just been started compile what they run.
  let phase = newPhase('warming up');
  const open = new Set<Promise<void>>();
  const ask = async (question: Question): Promise<void> => {
    const of = phase;
    const begun = performance.now();
    of.figures.asked++;
    const verdict = await question.ask();
    record(of, { question, verdict, begun });
    if (verdict.kind === 'wrong' || verdict.kind === 'crossed')
      findings.push(`${of.figures.fault}: ${question.name}: ${verdict.kind}: ${verdict.reason}`);
  };
  const { questions } = load;
  const stop = atRate(run.rate, (number) => {
    const one = ask(questions[number % questions.length]!).finally(() => open.delete(one));
    open.add(one);
  });
  const end = () => {
    const { figures } = phase;
    run.report(figures);
    findings.push(...broken(figures));
  };
  try {
    const latest = performance.now() + WARM_UP;
    do await delay(run.calm);
    while (open.size > run.rate / 4 && performance.now() < latest);
    phase = newPhase('no fault');
    await delay(run.calm);
    if (open.size > run.rate) throw new Error(`This machine cannot answer ${run.rate} requests a second.`);
    end();
    for (const fault of faults) {
      await load.renewTokens();
      phase = newPhase(fault.name);
      await fault.happen();
      phase.back = performance.now();
      phase.figures.away = (phase.back - phase.begun) / 1000;
      await delay(run.calm);
      await Promise.race([Promise.all(open), delay(LONGEST * 1000)]);
      end();
    }
  } finally {
    await stop();
    await Promise.all(open);
  }
  return findings;
}

interface Phase {
  figures: Figures;
  begun: number;
  /** When the part was back; Infinity until then. */
  back: number;
  /** When the first refused request was asked. */
  firstRefused: number;
}

const newPhase = (fault: string): Phase => ({
  begun: performance.now(),
  back: Infinity,
  firstRefused: Infinity,
  figures: {
    fault,
    asked: 0,
    honest: {},
    explained: {},
    wrong: 0,
    crossed: 0,
    away: 0,
    window: 0,
    recovery: 0,
    slowest: 0,
  },
});

function record(
  phase: Phase,
  { question, verdict, begun }: { question: Question; verdict: Verdict; begun: number },
): void {
  const { figures } = phase;
  const { kind, reason = '' } = verdict;
  figures.slowest = Math.max(figures.slowest, (performance.now() - begun) / 1000);
  if (kind === 'right') return;
  if (kind === 'wrong') return void figures.wrong++;
  if (kind === 'crossed') return void figures.crossed++;
  figures.honest[kind] = (figures.honest[kind] ?? 0) + 1;
  const explained = `${question.name}: ${kind}: ${reason}`;
  figures.explained[explained] = (figures.explained[explained] ?? 0) + 1;
  phase.firstRefused = Math.min(phase.firstRefused, begun);
  figures.window = Math.max(figures.window, (begun - phase.firstRefused) / 1000);
  figures.recovery = Math.max(figures.recovery, (begun - phase.back) / 1000);
}

/** Returns the rules on times that the figures break. */
function broken({ fault, recovery, slowest, honest }: Figures): string[] {
  const refused = Object.keys(honest).length > 0;
  return [
    ...(recovery > RECOVERY
      ? [`${fault}: refusals until ${recovery.toFixed(1)} s after the part was back`]
      : []),
    ...(slowest > LONGEST ? [`${fault}: an answer took ${slowest.toFixed(1)} s`] : []),
    ...(fault === 'no fault' && refused ? [`without a fault: ${JSON.stringify(honest)}`] : []),
  ];
}

/** Calls `ask` with the number of each request when it is due. @returns a function that ends it */
export function atRate(rate: number, ask: (number: number) => void): () => Promise<unknown> {
  const start = Number(process.hrtime.bigint()) / 1e6;
  const clock = new Worker(new URL('../../bench/due-times.mjs', import.meta.url), {
    workerData: { start, rate, count: MANY },
    execArgv: [],
  });
  let next = 0;
  clock.on('message', (due: number) => {
    for (; next < due; next++) ask(next);
  });
  return () => clock.terminate();
}
