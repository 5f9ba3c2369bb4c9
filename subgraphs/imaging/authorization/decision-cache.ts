import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../../../schema/concurrency/single-flight.ts';
import { maxEntries } from '../../../schema/outbound/max-entries.ts';

const DECISION_SECONDS = 60;
/** How long a question is not asked again after there was no answer. */
const UNDECIDED_SECONDS = 3;

/** Asks which of some studies are withheld; resolves to undefined where there is no answer. */
export type AskDecision<Study> = (studies: readonly Study[]) => Promise<ReadonlySet<string> | undefined>;

/**
 * Remembers for each study whether it is withheld, as services and labels decided. Requests that ask the same at the
 * same time share one question. A `question` says who asks, and what decides.
 */
export class DecisionCache {
  readonly #kept = new LRUCache<string, boolean>({ ...maxEntries(100_000), ttl: DECISION_SECONDS * 1000 });
  readonly #undecided = new LRUCache<string, true>({ ...maxEntries(10_000), ttl: UNDECIDED_SECONDS * 1000 });
  readonly #asking = new SingleFlight<ReadonlySet<string> | undefined>();

  /** Whether it is remembered that a study is shown. */
  isShown(question: unknown, studyUid: string): boolean {
    return this.#kept.get(keyOf(question, studyUid)) === false;
  }

  remember(question: unknown, studyUid: string, withheld: boolean): void {
    this.#kept.set(keyOf(question, studyUid), withheld);
  }

  /** Those of some studies that are withheld, asked for where it is not remembered: all of them while there is no answer. */
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
   * Asks whatever is remembered of the studies, but where there was no answer in the last seconds.
   * @param source what has the studies. Its question is shared with no other source's: whether two are the same would
   * tell what each has of a study
   * @returns UIDs of those that are withheld; undefined where there is no answer
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
