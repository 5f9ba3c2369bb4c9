import { onePer } from '../../state/browser/one-per.ts';
import type { Page } from '../../ui/context.ts';

class Drawer {
  open = $state(false);
}

/** Returns the drawer of a page. */
export const drawerOf = onePer((_page: Page) => new Drawer());
