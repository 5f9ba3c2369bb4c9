import Save from '@lucide/svelte/icons/share';
import { m } from '../../messages/compiled/messages.js';
import { videoOf } from '../../state/stage/shown-video.svelte.ts';
import { itemsOf, type Feature } from '../../ui/feature.ts';
import DownloadDialog from './DownloadDialog.svelte';
import { downloadsOf } from './downloads-of.svelte.ts';

/** Ids of commands that save files, or open them: of this feature and of others. */
const ITEMS = [
  'download.picture',
  'download.video',
  'download.files',
  'package.make',
  'print.pages',
  'files.save',
  'files.open',
];

/** Saves the image on the screen as a PNG, and images as DICOM files. */
export const download: Feature = {
  commands: (page) => [
    {
      id: 'download.picture',
      name: m.downloadPicture,
      keys: ['d'],
      group: 'page',
      // While another image is wanted, the one on the glass is not what the person means.
      enabled: () => {
        const { shown, behind } = page.workspace.active;
        return videoOf(page.workspace.active).shown !== undefined || (shown !== undefined && !behind);
      },
      run: () => (downloadsOf(page).open = 'picture'),
    },
    {
      id: 'download.files',
      name: m.downloadFiles,
      keys: ['Shift+d'],
      group: 'page',
      enabled: () => page.workspace.active.series !== undefined,
      run: () => (downloadsOf(page).open = 'files'),
    },
  ],
  tools: (page) => [
    { id: 'save', icon: Save, name: m.save, does: { items: () => itemsOf(page, ITEMS) }, end: true },
  ],
  dialog: DownloadDialog,
};
