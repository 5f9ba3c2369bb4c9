/**
 * Runs faults in sequence under a steady load: records the answers of clients, and the time until all are right
 * again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault, Surroundings } from './parts.ts';
import { questionsOf, type Question, type Verdict } from './questions.ts';

export interface FaultRun {
  /** Requests each second. */
  rate: number;
  /** Duration of each fault in milliseconds. */
  lasting: number;
  /** Milliseconds for which all answers have to be right before the next fault. */
  right: number;
  /** Receives the figures of each fault when it is over. */
  report?(figures: Figures): void;
}

/** Answers between the beginning of one fault and that of the next. */
export interface Figures {
  fault: string;
  right: number;
  away: number;
  /** Answers that rightly say that the source is not where it should be. */
  misplaced: number;
  /** Milliseconds of the right answers of tenants that the fault does not touch; none of a part that all need, as Redis. */
  others: { before: readonly number[]; during: readonly number[] };
  /** Answers that began before or during the fault and were broken off. */
  cut: number;
  /** Answers that rightly say that the deleted study does not exist. */
  gone: number;
  wrong: number;
  /** Seconds after the end of the fault until the last request that was still answered as during it. */
  recovery: number;
}

/** Milliseconds after the end of a fault in which a request may still be answered as during it. */
const RECOVERY = 5_000;
/** Milliseconds between two checks whether all is right. */
const LOOK = 50;

interface Asked {
  question: Question;
  at: number;
}

/**
 * Runs the faults.
 * @returns findings: wrong answers, and 503 where nothing is away
 */
export async function runFaults(
  world: Surroundings,
  faults: readonly Fault[],
  run: FaultRun,
): Promise<string[]> {
  const { questions, close } = questionsOf(world);
  const findings: string[] = [];
  const open = new Set<Asked>();
  let fault: Fault | undefined;
  /** Times at which the fault began and ended. */
  let [begun, ended] = [0, 0];
  let figures = newFigures('before the first');
  /** Right answers since the last fault ended. */
  let times: { tenant: string; at: number; ms: number }[] = [];
  const ofOthers = ({ touches }: Fault, from: number, to: number): number[] =>
    times.flatMap(({ tenant, at, ms }) =>
      touches.length > 0 && !(touches as readonly string[]).includes(tenant) && at >= from && at < to
        ? [ms]
        : [],
    );

  function judge({ question, at }: Asked, verdict: Verdict): void {
    if (verdict === 'right') {
      figures.right++;
      times.push({ tenant: question.tenant, at, ms: Date.now() - at });
      return;
    }
    const after = ended > 0 ? at - ended : 0;
    const touched = fault?.touches.includes(question.tenant) && Date.now() >= begun;
    const seconds = (after / 1000).toFixed(1);
    const sinceBegun = ((at - begun) / 1000).toFixed(1);
    const asked = ended > 0 ? `${seconds} s after its end` : `${sinceBegun} s after its begin`;
    const when = fault ? `${fault.name}, asked ${asked}` : 'before the first fault';
    if (typeof verdict === 'object') {
      const isGone = verdict.without !== undefined && verdict.without === fault?.gone && touched;
      if (!isGone || after > RECOVERY) {
        figures.wrong++;
        findings.push(`${when}: ${question.name}: ${verdict.wrong}`);
        return;
      }
      figures.gone++;
    } else figures[verdict]++;
    if (verdict === 'misplaced' && !fault?.misplaced) findings.push(`${when}: ${question.name}: 502`);
    figures.recovery = Math.max(figures.recovery, after / 1000);
    if (!touched || after > RECOVERY)
      findings.push(`${when}: ${question.name}: ${verdict === 'cut' ? 'cut' : '503'}`);
  }

  let next = 0;
  const load = setInterval(() => {
    const asked: Asked = { question: questions[next++ % questions.length]!, at: Date.now() };
    open.add(asked);
    void asked.question.ask().then((verdict) => {
      open.delete(asked);
      judge(asked, verdict);
    });
  }, 1000 / run.rate);
  /** Waits until all answers have been right for long enough, or should have been. */
  async function allRight(since: number): Promise<void> {
    for (;;) {
      await delay(LOOK);
      const lastAway = since + figures.recovery * 1000;
      const pending = [...open].some(({ at }) => at < Date.now() - run.right);
      if (!pending && Date.now() - lastAway >= run.right) return;
      if (Date.now() - since > RECOVERY + run.right + 30_000) return;
    }
  }

  try {
    await allRight(Date.now());
    for (const one of faults) {
      fault = one;
      figures = newFigures(one.name);
      [begun, ended] = [Date.now(), 0];
      await one.begin();
      await delay(run.lasting);
      await one.end();
      ended = Date.now();
      figures.others = {
        before: ofOthers(one, begun - run.right, begun),
        during: ofOthers(one, begun, ended),
      };
      times = [];
      await allRight(ended);
      // Clients may still get cached answers without the deleted study.
      if (one.gone !== undefined) await delay(Math.max(0, ended + RECOVERY - Date.now()));
      run.report?.(figures);
    }
  } finally {
    clearInterval(load);
    while (open.size > 0) await delay(LOOK);
    await close();
  }
  return findings;
}

const newFigures = (fault: string): Figures => ({
  fault,
  right: 0,
  away: 0,
  misplaced: 0,
  others: { before: [], during: [] },
  cut: 0,
  gone: 0,
  wrong: 0,
  recovery: 0,
});
