import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import Protocol from './Protocol.svelte';
import { drawerOf } from './drawer.svelte.ts';

/** The requests of the page, for who wants to send them too. */
export const protocol: Feature = {
  commands: (page) => [
    {
      id: 'page.protocol',
      name: m.protocol,
      keys: ['Shift+n'],
      group: 'page',
      pressed: () => drawerOf(page).open,
      run: () => (drawerOf(page).open = !drawerOf(page).open),
    },
  ],
  dialog: Protocol,
};
