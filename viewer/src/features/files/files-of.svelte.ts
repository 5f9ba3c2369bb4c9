import { loadedOnce } from '../../domain/loaded-once.ts';
import { onePer } from '../../state/browser/one-per.ts';
import type { Page } from '../../ui/context.ts';
import type { Outcome } from './opened.ts';
import type { Choice, Saved } from './saved.ts';

/** Writers and readers are loaded when somebody asks for them. */
const writer = loadedOnce(() => import('./saved.ts'));
const reader = loadedOnce(() => import('./opened.ts'));

/** The files of a page: what is saved, and what is opened. */
class Files {
  open = $state<'save' | 'open'>();
  busy = $state(false);
  saved = $state.raw<Saved | 'failed'>();
  /** Of the files that were opened last, in their order. */
  outcomes = $state.raw<readonly Outcome[]>([]);
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Saves all or nothing: a file that cannot be made ends it before anything is given to the browser. */
  async save(choice: Choice, person: string | undefined): Promise<void> {
    this.busy = true;
    this.saved = undefined;
    try {
      this.saved = await (await writer()).save(this.#page, choice, person);
    } catch {
      this.saved = 'failed';
    }
    this.busy = false;
  }

  /** Opens files, one after the other, and tells what became of each. */
  async take(files: readonly File[]): Promise<void> {
    const record = this.#page.record.record;
    this.open = 'open';
    this.busy = true;
    this.outcomes = [];
    for (const file of files) {
      const outcome = await reader().then(
        ({ openFile }) => openFile(this.#page, file),
        (): Outcome => ({ file: file.name, kind: 'trouble' }),
      );
      // Another patient may be on the page by now.
      if (this.#page.record.record !== record) break;
      this.outcomes = [...this.outcomes, outcome];
    }
    this.busy = false;
  }

  clear(): void {
    this.open = this.saved = undefined;
    this.outcomes = [];
  }
}

/** Returns the files of a page. */
export const filesOf = onePer((page: Page) => new Files(page));
