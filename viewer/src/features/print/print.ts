import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import Print from './Print.svelte';
import { printingOf } from './printing.svelte.ts';

/** Prints report, images and more, or saves them as a PDF, by the browser's own dialog. Its button is in the list of what is saved. */
export const print: Feature = {
  commands: (page) => [
    {
      id: 'print.pages',
      name: m.print,
      keys: ['Control+p'],
      group: 'page',
      enabled: () => page.record.record !== undefined,
      run: () => (printingOf(page).open = true),
    },
  ],
  dialog: Print,
};
