import type { Trouble } from '../../data/trouble.ts';
import type { RecordAccess } from '../../domain/record/access.ts';
import { onePer } from '../../state/browser/one-per.ts';
import { troubleOf } from '../../state/browser/trouble-of.ts';
import type { Page } from '../../ui/context.ts';

/** Statuses of servers without such a list: they do not know the type, or say that they have none. */
const WITHOUT = new Set([400, 404, 405, 501]);

/** The list of accesses on the page: closed, on its way, there, or in trouble. */
class OpenAccesses {
  open = $state(false);
  accesses = $state.raw<readonly RecordAccess[]>([]);
  loading = $state(false);
  trouble = $state.raw<Trouble>();
  readonly #page: Page;
  #next = $state.raw<string>();
  #asking: AbortController | undefined;

  constructor(page: Page) {
    this.#page = page;
  }

  show(): void {
    this.close();
    this.open = true;
    void this.more();
  }

  close(): void {
    this.#asking?.abort();
    this.open = this.loading = false;
    this.accesses = [];
    this.#next = this.trouble = undefined;
  }

  /** True if there are older ones. */
  get hasMore(): boolean {
    return this.#next !== undefined;
  }

  /** True if the server keeps no list. */
  get isWithout(): boolean {
    return WITHOUT.has(this.trouble?.status ?? 0);
  }

  /** Reads the next page, or again one that did not come. */
  async more(): Promise<void> {
    const patient = this.#page.record.record?.person.id;
    if (patient === undefined) return;
    this.#asking?.abort();
    const { signal } = (this.#asking = new AbortController());
    this.trouble = undefined;
    this.loading = true;
    try {
      const { items, next } = await this.#page.records.accesses({ patient, next: this.#next }, signal);
      if (signal.aborted) return;
      this.accesses = [...this.accesses, ...items];
      this.#next = next;
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = troubleOf(error);
    }
    this.loading = false;
  }
}

/** Returns the list of accesses of a page. */
export const accessLogOf = onePer((page: Page) => new OpenAccesses(page));
