import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import DownloadDialog from './DownloadDialog.svelte';
import DownloadTool from './DownloadTool.svelte';
import { downloadsOf } from './downloads-of.svelte.ts';

/** Saves the image on the screen as a PNG, and images as DICOM files. */
export const download: Feature = {
  commands: (page) => [
    {
      id: 'download.picture',
      name: m.downloadPicture,
      keys: ['d'],
      group: 'page',
      // While another image is wanted, the one on the glass is not what the person means.
      enabled: () => page.workspace.active.shown !== undefined && !page.workspace.active.behind,
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
  tools: DownloadTool,
  dialog: DownloadDialog,
};
