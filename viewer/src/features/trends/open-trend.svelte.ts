import type { RecordSource } from '../../data/source.ts';
import type { Trouble } from '../../data/trouble.ts';
import type { Result, Trend } from '../../domain/record/record.ts';
import { codesOf } from '../../domain/record/trend-codes.ts';
import { troubleOf } from '../../state/browser/trouble-of.ts';
import type { Page } from '../../ui/context.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** The trend on the page: of no result, on its way, there, or in trouble. */
class OpenTrend {
  result = $state.raw<Result>();
  /** Undefined until they are there. */
  trends = $state.raw<readonly Trend[]>();
  trouble = $state.raw<Trouble>();
  readonly #page: Page;
  #asking: AbortController | undefined;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Opens the trend of a result of the record on the page. */
  show(result: Result): void {
    this.close();
    this.result = result;
    void this.again();
  }

  /** Asks again for the same result. */
  async again(): Promise<void> {
    const patient = this.#page.record.record?.person.id;
    if (!this.result || patient === undefined) return;
    this.#asking?.abort();
    const { signal } = (this.#asking = new AbortController());
    this.trends = this.trouble = undefined;
    try {
      const trends = await trendsOf(this.#page.records, { patient, result: this.result }, signal);
      if (!signal.aborted) this.trends = trends;
    } catch (error) {
      if (!signal.aborted) this.trouble = troubleOf(error);
    }
  }

  close(): void {
    this.#asking?.abort();
    this.result = this.trends = this.trouble = undefined;
  }
}

/** Asks for the values of a result over time. @throws Trouble */
export async function trendsOf(
  records: Pick<RecordSource, 'trend'>,
  { patient, result }: { patient: string; result: Result },
  signal: AbortSignal,
): Promise<readonly Trend[]> {
  const asked = [...codesOf(result)].map(async ([code, concept]) => {
    const trends = await records.trend(patient, code, signal);
    // It is named as on the timeline, whatever the server calls it.
    return trends.filter(({ points }) => points.length > 0).map((trend) => ({ ...trend, concept }));
  });
  return (await Promise.all(asked)).flat();
}

/** Returns the trend of a page, which has one at a time. */
export const openTrendOf = onePer((page: Page) => new OpenTrend(page));
