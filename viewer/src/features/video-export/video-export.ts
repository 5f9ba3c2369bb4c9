import { m } from '../../messages/compiled/messages.js';
import { videoOf } from '../../state/stage/shown-video.svelte.ts';
import type { Feature } from '../../ui/feature.ts';
import VideoDialog from './VideoDialog.svelte';
import { videoSavingOf } from './video-saving.svelte.ts';

/** Saves the images of a stack, or of a film, as a video. Its item stands in the list of downloads. */
export const videoExport: Feature = {
  commands: (page) => [
    {
      id: 'download.video',
      name: m.videoSave,
      keys: ['Shift+v'],
      group: 'page',
      enabled() {
        const cell = page.workspace.active;
        return cell.shown !== undefined && cell.count > 1 && videoOf(cell).shown === undefined;
      },
      run: () => (videoSavingOf(page).open = true),
    },
  ],
  dialog: VideoDialog,
};
