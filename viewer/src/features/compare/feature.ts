import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import BesideButton from './BesideButton.svelte';
import Comparing from './Comparing.svelte';
import { comparisonOf } from './comparison.svelte.ts';
import { LINKED_PARTS } from './linked-view.svelte.ts';
import { compareTool } from './tool.ts';
import { LINK_NAMES } from './words.ts';
import StudyBar from './StudyBar.svelte';

/** An earlier study beside the one that is open; both scroll together. */
export const compare: Feature = {
  commands(page) {
    const comparison = comparisonOf(page);
    return [
      {
        id: 'compare.prior',
        name: m.commandCompare,
        keys: ['c'],
        group: 'layout',
        enabled: () => page.workspace.study !== undefined,
        pressed: () => comparison.study !== undefined,
        run: () => void comparison.toggle(),
      },
      {
        id: 'compare.link',
        name: m.commandCompareLink,
        keys: ['Shift+c'],
        group: 'layout',
        enabled: () => comparison.scroll.pair !== undefined,
        pressed: () => comparison.scroll.linked,
        run: () => comparison.scroll.toggle(),
      },
      ...LINKED_PARTS.map((part) => ({
        id: `compare.link-${part}`,
        name: LINK_NAMES[part],
        group: 'layout' as const,
        enabled: () => comparison.scroll.pair !== undefined,
        pressed: () => comparison.view.parts.has(part),
        run: () => comparison.view.toggle(part),
      })),
    ];
  },
  tools: (page) => [compareTool(page)],
  above: StudyBar,
  study: BesideButton,
  dialog: Comparing,
};
