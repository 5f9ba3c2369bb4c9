import SunMoon from '@lucide/svelte/icons/sun-moon';
import { m } from '../../messages/compiled/messages.js';
import type { Page } from '../../ui/context.ts';
import { itemsOf, type Feature, type ToolItem } from '../../ui/feature.ts';
import { suvGapWords } from '../../ui/controls/suv-words.ts';
import { choiceOf } from './choice.svelte.ts';
import { windowWords } from './window-words.ts';

/** The windows, and what else changes brightness. */
function items(page: Page): ToolItem[] {
  const choice = choiceOf(page);
  const presets = choice.presets.map((preset) => ({
    id: preset.id,
    name: windowWords(preset),
    checked: preset === choice.chosen,
    choice: true,
    run: () => choice.choose(preset),
  }));
  return [...presets, ...itemsOf(page, ['image.invert'])];
}

/** Windows that are usual for the kind of image, and those that the image has. */
export const windowFeature: Feature = {
  tools(page) {
    const choice = choiceOf(page);
    return [
      {
        id: 'window',
        icon: SunMoon,
        name: m.window,
        value: () =>
          choice.presets.length === 0
            ? undefined
            : choice.chosen
              ? windowWords(choice.chosen)
              : m.windowOwn(),
        does: {
          items: () => items(page),
          note: () =>
            choice.lacksHounsfield ? m.windowNoHounsfield() : choice.suvGap && suvGapWords(choice.suvGap),
        },
        onPhone: true,
      },
    ];
  },
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
