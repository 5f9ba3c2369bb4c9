import type { Page } from '../../ui/context.ts';
import { Saving } from './saving.svelte.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** The downloads of a page. */
class Downloads {
  open = $state<'picture' | 'files'>();
  readonly saving: Saving;

  constructor(page: Page) {
    this.saving = new Saving(page.workspace.imaging);
  }
}

/** Returns the downloads of a page. */
export const downloadsOf = onePer((page: Page) => new Downloads(page));
