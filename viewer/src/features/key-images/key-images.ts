import Star from '@lucide/svelte/icons/star';
import { m } from '../../messages/compiled/messages.js';
import { keyImagesOf } from '../../state/stage/key-images.svelte.ts';
import type { Feature } from '../../ui/feature.ts';
import KeyImageList from './KeyImageList.svelte';
import KeyImageMark from './KeyImageMark.svelte';
import KeyImages from './KeyImages.svelte';
import SeriesMark from './SeriesMark.svelte';
import SliderMarks from './SliderMarks.svelte';
import { showNextKeyImage, toggleMark } from './marking.ts';

/** Images that a person marks to find them again, as they were shown. */
export const keyImages: Feature = {
  commands(page) {
    const marked = keyImagesOf(page.workspace);
    const { workspace } = page;
    return [
      {
        id: 'key-image.mark',
        name: m.commandKeyImage,
        keys: ['y'],
        group: 'image',
        enabled: () => workspace.active.shown !== undefined,
        pressed: () => marked.indexOf(workspace.active.shown?.frame) >= 0,
        run: () => toggleMark(page),
      },
      {
        id: 'key-image.next',
        name: m.commandKeyImageNext,
        keys: ['Shift+y'],
        group: 'navigation',
        enabled: () => marked.all.length > 0,
        run: () => showNextKeyImage(page),
      },
    ];
  },
  tools: () => [
    { id: 'key-image', icon: Star, name: m.keyImage, does: { command: 'key-image.mark' }, onPhone: true },
  ],
  overlay: KeyImageMark,
  card: SeriesMark,
  slider: SliderMarks,
  section: {
    panel: 'measurements',
    available({ workspace }) {
      const { all, canUndo } = keyImagesOf(workspace);
      return all.length > 0 || canUndo;
    },
    component: KeyImageList,
  },
  dialog: KeyImages,
};
