import { onePer } from '../../state/browser/one-per.ts';
import type { Page } from '../../ui/context.ts';

/** True while the dialog of printing is open. */
class Printing {
  open = $state(false);
}

/** Returns the printing of a page. */
export const printingOf = onePer((_page: Page) => new Printing());
