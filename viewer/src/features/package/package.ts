import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import { packageOf } from './package-of.svelte.ts';
import Package from './Package.svelte';

/** A study in one encrypted file that opens without a network and without an account. */
export const takeAlong: Feature = {
  commands: (page) => [
    {
      id: 'package.make',
      name: m.package,
      group: 'page',
      // Browsers encrypt on secure pages only.
      enabled: () =>
        isSecureContext && page.record.record !== undefined && page.workspace.active.series !== undefined,
      run: () => (packageOf(page).open = true),
    },
  ],
  dialog: Package,
};
