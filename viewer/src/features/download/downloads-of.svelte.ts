import type { Page } from '../../ui/context.ts';
import { Saving } from './saving.svelte.ts';

/** What is being saved on a page. */
export class Downloads {
  open = $state<'picture' | 'files'>();
  readonly saving: Saving;

  constructor(page: Page) {
    this.saving = new Saving(page.workspace.imaging.images);
  }
}

const known = new WeakMap<Page, Downloads>();

/** Returns the downloads of a page. */
export function downloadsOf(page: Page): Downloads {
  const downloads = known.get(page) ?? new Downloads(page);
  known.set(page, downloads);
  return downloads;
}
