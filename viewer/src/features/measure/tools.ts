/** The tools that measure: their keys and icons. */
import Circle from '@lucide/svelte/icons/circle';
import Crosshair from '@lucide/svelte/icons/crosshair';
import MoveUpLeft from '@lucide/svelte/icons/move-up-left';
import Ruler from '@lucide/svelte/icons/ruler';
import SquareDashed from '@lucide/svelte/icons/square-dashed';
import TriangleRight from '@lucide/svelte/icons/triangle-right';
import type { Component } from 'svelte';
import type { Command } from '../../commands/registry.ts';
import type { Kind } from '../../domain/measure/kinds.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Page } from '../../ui/context.ts';
import { measurementsOf } from './measurements-of.ts';
import { isMeasurable } from './taken.ts';
import { KIND_NAMES } from './words.ts';

export const TOOLS: readonly { kind: Kind; key: string; icon: Component<{ size?: number }> }[] = [
  { kind: 'length', key: 'l', icon: Ruler },
  { kind: 'angle', key: 'a', icon: TriangleRight },
  { kind: 'rectangle', key: 'b', icon: SquareDashed },
  { kind: 'ellipse', key: 'e', icon: Circle },
  { kind: 'probe', key: 'v', icon: Crosshair },
  { kind: 'arrow', key: 'n', icon: MoveUpLeft },
];

/** Returns the commands of the tools, and those on what is measured. */
export function measureCommands(page: Page): Command[] {
  const measurements = measurementsOf(page);
  const { workspace } = page;
  const common = { group: 'measure' } as const;
  const tools = TOOLS.map(({ kind, key }): Command => ({
    ...common,
    id: `measure.${kind}`,
    name: KIND_NAMES[kind],
    keys: [key],
    enabled: () => isMeasurable(workspace.active),
    pressed: () => measurements.tool === kind,
    run: () => measurements.use(measurements.tool === kind ? undefined : kind),
  }));
  return [
    ...tools,
    {
      ...common,
      id: 'measure.delete',
      name: m.measureDelete,
      keys: ['Delete', 'Backspace'],
      enabled: () => measurements.selected !== undefined,
      run: () => {
        measurements.remove(measurements.selected!);
        measurements.said = m.measureDeleted();
      },
    },
    {
      ...common,
      id: 'measure.undo',
      name: m.measureUndo,
      keys: ['Control+z'],
      enabled: () => measurements.canUndo,
      run: () => measurements.undo(),
    },
    {
      ...common,
      id: 'measure.redo',
      name: m.measureRedo,
      keys: ['Control+Shift+z'],
      enabled: () => measurements.canRedo,
      run: () => measurements.redo(),
    },
  ];
}
