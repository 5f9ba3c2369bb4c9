import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import { choiceOf } from './choice.svelte.ts';
import WindowMenu from './WindowMenu.svelte';

/** Windows that are usual for the kind of image, and those that the image has. */
export const windowFeature: Feature = {
  tools: WindowMenu,
  commands(page) {
    const choice = choiceOf(page);
    const step = (id: string, name: () => string, [key, by]: [key: string, by: 1 | -1]) => ({
      id: `window.${id}`,
      name,
      keys: [key],
      group: 'window' as const,
      enabled: () => choice.presets.length > 0,
      run: () => choice.step(by),
    });
    return [
      step('next', m.commandWindowNext, ['w', 1]),
      step('previous', m.commandWindowPrevious, ['Shift+w', -1]),
    ];
  },
};
