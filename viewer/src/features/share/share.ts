import Stethoscope from '@lucide/svelte/icons/stethoscope';
import { m } from '../../messages/compiled/messages.js';
import type { Page } from '../../ui/context.ts';
import type { Feature } from '../../ui/feature.ts';
import ShareDialog from './ShareDialog.svelte';
import { sharingOf } from './sharing.svelte.ts';

/** Shows a study to a doctor who has no account here, by a link (SMART Health Links). */
export const share: Feature = {
  commands: (page) =>
    mayShare(page)
      ? [{ id: 'share', name: m.share, group: 'page', run: () => (sharingOf(page).open = true) }]
      : [],
  tools: (page) => [
    {
      id: 'share',
      icon: Stethoscope,
      name: m.share,
      does: { command: 'share' },
      available: () => mayShare(page),
      end: true,
    },
  ],
  dialog: ShareDialog,
};

/** The server lets a person share for one patient; the words here are those of the patient. */
function mayShare({ account }: Page): boolean {
  const { sharing, patient, isClinician } = account;
  return sharing !== undefined && patient !== undefined && !isClinician;
}
