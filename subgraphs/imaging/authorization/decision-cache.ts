import { SingleFlight } from '../../../schema/concurrency/single-flight.ts';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';

const DECISION_SECONDS = 60;
/** Time without an answer before the same question is asked again. */
const UNDECIDED_SECONDS = 3;

/** Asks which of some studies are withheld; resolves to undefined when there is no answer. */
export type AskDecision<Study> = (studies: readonly Study[]) => Promise<ReadonlySet<string> | undefined>;

/**
 * Remembers for each study whether services and labels withhold it. Equal questions at the same time are asked once.
 * A `question` says who asks and what decides.
 */
export class DecisionCache {
  readonly #kept = boundedCache<boolean>({ entries: 100_000, seconds: DECISION_SECONDS });
  readonly #undecided = boundedCache<true>({ entries: 10_000, seconds: UNDECIDED_SECONDS });
  readonly #asking = new SingleFlight<ReadonlySet<string> | undefined>();

  /** Tells whether a study is remembered as shown. */
  isShown(question: unknown, studyUid: string): boolean {
    return this.#kept.get(keyOf(question, studyUid)) === false;
  }

  remember(question: unknown, studyUid: string, withheld: boolean): void {
    this.#kept.set(keyOf(question, studyUid), withheld);
  }

  /** Returns the withheld ones of some studies. Asks about those not remembered; unanswered, they are withheld. */
  async withheld<Study extends { studyUid: string }>(
    question: unknown,
    studies: readonly Study[],
    ask: AskDecision<Study>,
  ): Promise<Study[]> {
    const decisions = new Map(
      studies.map((study) => [study, this.#kept.get(keyOf(question, study.studyUid))]),
    );
    const unknown = studies.filter((study) => decisions.get(study) === undefined);
    const answer = unknown.length > 0 ? await this.ask(question, unknown, ask) : undefined;
    for (const study of unknown) {
      const withheld = answer?.has(study.studyUid);
      if (withheld !== undefined) this.remember(question, study.studyUid, withheld);
      decisions.set(study, withheld ?? true);
    }
    return studies.filter((study) => decisions.get(study));
  }

  /**
   * Asks again, also about remembered studies. Does not ask when there was no answer in the last seconds.
   * @param source key of the source that has the studies. Sources do not share a question: a shared one would show
   * that both have the same data of a study
   * @returns UIDs of the withheld studies; undefined when there is no answer
   */
  ask<Study>(
    question: unknown,
    studies: readonly Study[],
    ask: AskDecision<Study>,
    source?: string,
  ): Promise<ReadonlySet<string> | undefined> {
    const undecided = JSON.stringify(question);
    if (this.#undecided.has(undecided)) return Promise.resolve(undefined);
    const key = JSON.stringify([question, studies, source]);
    return this.#asking.run(key, async () => {
      const answer = await ask(studies);
      if (!answer) this.#undecided.set(undecided, true);
      return answer;
    });
  }
}

const keyOf = (question: unknown, studyUid: string) => JSON.stringify([question, studyUid]);
