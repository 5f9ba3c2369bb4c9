import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import AccessLog from './AccessLog.svelte';
import { accessLogOf } from './open-accesses.svelte.ts';

/** The list of who has looked at the record, as far as its server tells it. */
export const accessLog: Feature = {
  commands: (page) => [
    {
      id: 'page.accesses',
      name: m.accesses,
      group: 'page',
      enabled: () => page.record.record !== undefined,
      run: () => accessLogOf(page).show(),
    },
  ],
  dialog: AccessLog,
};
