import type { RecordSource } from '../../data/source.ts';
import type { Trouble } from '../../data/trouble.ts';
import type { Person } from '../../domain/record/record.ts';
import { troubleOf } from '../browser/trouble-of.ts';

const TYPING_PAUSE_MS = 250;

/** The patients that can be opened, found by name, birth date or number; a page at a time. */
export class PatientSearch {
  text = $state('');
  people = $state.raw<readonly Person[]>([]);
  next = $state.raw<string>();
  loading = $state(false);
  trouble = $state.raw<Trouble>();
  readonly #source: RecordSource;
  #asking: AbortController | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(source: RecordSource) {
    this.#source = source;
  }

  /** Searches when the person has stopped typing. */
  search(text: string): void {
    this.text = text;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => void this.load(), TYPING_PAUSE_MS);
  }

  /** Asks for the first page. */
  load(): Promise<void> {
    return this.#ask(undefined);
  }

  /** Asks for the next page. */
  more(): Promise<void> {
    return this.next === undefined ? Promise.resolve() : this.#ask(this.next);
  }

  close(): void {
    clearTimeout(this.#pause);
    this.#asking?.abort();
  }

  async #ask(next: string | undefined): Promise<void> {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    this.loading = true;
    this.trouble = undefined;
    const text = this.text.trim();
    try {
      const page = await this.#source.patients(
        { ...(text && { text }), ...(next && { next }) },
        asking.signal,
      );
      if (asking.signal.aborted) return;
      this.people = next === undefined ? page.items : [...this.people, ...page.items];
      this.next = page.next;
    } catch (error) {
      if (asking.signal.aborted) return;
      if (next === undefined) this.people = [];
      this.trouble = troubleOf(error);
    } finally {
      if (this.#asking === asking) this.loading = false;
    }
  }
}
