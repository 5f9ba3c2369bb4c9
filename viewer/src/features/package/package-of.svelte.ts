import { onePer } from '../../state/browser/one-per.ts';
import type { Page } from '../../ui/context.ts';
import type { Making } from './making.svelte.ts';

/** The package of a page. It is there as long as the page is: who closes the dialog can still read the passcode. */
class Package {
  open = $state(false);
  passcode = $state('');
  /** Its maker, which is loaded when somebody asks for it. */
  making: Making | undefined;
}

/** Returns the package of a page. */
export const packageOf = onePer((_page: Page) => new Package());
