import type { Trouble } from '../../data/trouble.ts';
import type { Concept, Result, Trend } from '../../domain/record/record.ts';
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
      const asked = codesOf(this.result).map((code) => this.#page.records.trend(patient, code, signal));
      const trends = (await Promise.all(asked)).flat().filter(({ points }) => points.length > 0);
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

/** Returns the trend of a page, which has one at a time. */
export const openTrendOf = onePer((page: Page) => new OpenTrend(page));

/**
 * Returns what a trend is asked by: the codes of the numbers of a result (those of its parts, for a blood pressure), or else
 * its own; none where the record gives it no code.
 */
export function codesOf({ concept, measures = [] }: Result): readonly string[] {
  const measured = measures.flatMap((one) => codeOf(one.concept) ?? []);
  return [...new Set(measured.length > 0 ? measured : (codeOf(concept) ?? []))];
}

/** A code with its system, as a search parameter of type token has it (FHIR R4 §3.1.1.4.10). */
function codeOf({ system, code }: Concept): string | undefined {
  return code === undefined || system === undefined ? code : `${system}|${code}`;
}
