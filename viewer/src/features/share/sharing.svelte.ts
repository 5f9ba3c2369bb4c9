import type { Trouble } from '../../data/trouble.ts';
import type { RecordSource } from '../../data/source.ts';
import type { SharedLink } from '../../domain/shared-link.ts';
import { onePer } from '../../state/browser/one-per.ts';
import { troubleOf } from '../../state/browser/trouble-of.ts';
import type { Page } from '../../ui/context.ts';

class Sharing {
  open = $state(false);
}

/** Returns the dialog of a page. */
export const sharingOf = onePer((_page: Page) => new Sharing());

/** The links of the person that still work, as the server lists them. */
export class Links {
  all = $state.raw<readonly SharedLink[]>();
  /** Why they are not known, or one is not stopped. */
  trouble = $state.raw<Trouble>();
  readonly #records: Pick<RecordSource, 'sharing'>;
  #asking = new AbortController();

  constructor(records: Pick<RecordSource, 'sharing'>) {
    this.#records = records;
  }

  async load(): Promise<void> {
    this.close();
    const { signal } = (this.#asking = new AbortController());
    this.trouble = undefined;
    try {
      const all = await (await this.#records.sharing()).list(signal);
      if (!signal.aborted) this.all = all;
    } catch (error) {
      if (!signal.aborted) this.trouble = troubleOf(error);
    }
  }

  /** Ends a link. @returns false if it may still work */
  async stop(id: string): Promise<boolean> {
    this.trouble = undefined;
    try {
      await (await this.#records.sharing()).stop(id);
    } catch (error) {
      const trouble = troubleOf(error);
      // It has ended already.
      if (trouble.kind !== 'not-found') {
        this.trouble = trouble;
        return false;
      }
    }
    this.all = this.all?.filter((one) => one.id !== id);
    return true;
  }

  close(): void {
    this.#asking.abort();
  }
}
