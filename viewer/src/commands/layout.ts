import { m } from '../messages/compiled/messages.js';
import type { Layout } from '../domain/series/hanging.ts';
import type { Preferences } from '../state/browser/preferences.svelte.ts';
import type { Workspace } from '../state/stage/workspace.svelte.ts';
import type { Command } from './registry.ts';

const LAYOUTS: readonly { layout: Layout; key: string; name: () => string }[] = [
  { layout: '1x1', key: '1', name: m.commandLayout1x1 },
  { layout: '1x2', key: '2', name: m.commandLayout1x2 },
  { layout: '2x2', key: '4', name: m.commandLayout2x2 },
];

/** Divides the stage; the choice is kept for studies of the same modality. */
export function layoutCommands(workspace: Workspace, preferences: Preferences): Command[] {
  return LAYOUTS.map(({ layout, key, name }) => ({
    id: `layout.${layout}`,
    name,
    keys: [key],
    group: 'layout',
    // A study is hung in its own way: a layout before it would be lost.
    enabled: () => workspace.study !== undefined,
    pressed: () => workspace.layout === layout,
    run: () => {
      workspace.setLayout(layout);
      const modality = workspace.study?.modalities[0];
      if (modality) preferences.set({ layouts: { ...preferences.layouts, [modality]: layout } });
    },
  }));
}
