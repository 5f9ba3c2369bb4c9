/** The tools that measure: their keys and icons. */
import Angle from '@lucide/svelte/icons/angle';
import Circle from '@lucide/svelte/icons/circle';
import Crosshair from '@lucide/svelte/icons/crosshair';
import Lasso from '@lucide/svelte/icons/lasso';
import Move from '@lucide/svelte/icons/move';
import MoveUpLeft from '@lucide/svelte/icons/move-up-left';
import Redo from '@lucide/svelte/icons/redo-2';
import Ruler from '@lucide/svelte/icons/ruler';
import SquareDashed from '@lucide/svelte/icons/square-dashed';
import Trash from '@lucide/svelte/icons/trash';
import TriangleRight from '@lucide/svelte/icons/triangle-right';
import Undo from '@lucide/svelte/icons/undo-2';
import type { Component } from 'svelte';
import type { Command } from '../../commands/registry.ts';
import type { Kind } from '../../domain/measure/kinds.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Page } from '../../ui/context.ts';
import { itemsOf, type ToolItem } from '../../ui/feature.ts';
import { measurementsOf } from '../../state/stage/measurements.svelte.ts';
import { isMeasurable } from './taken.ts';
import { KIND_NAMES } from '../../ui/controls/kind-names.ts';

const TOOLS: readonly { kind: Kind; key: string; icon: Component<{ size?: number }> }[] = [
  { kind: 'length', key: 'l', icon: Ruler },
  { kind: 'diameters', key: 'Shift+l', icon: Move },
  { kind: 'angle', key: 'a', icon: TriangleRight },
  { kind: 'cobb', key: 'Shift+a', icon: Angle },
  { kind: 'rectangle', key: 'b', icon: SquareDashed },
  { kind: 'ellipse', key: 'e', icon: Circle },
  { kind: 'freehand', key: 'Shift+e', icon: Lasso },
  { kind: 'probe', key: 'v', icon: Crosshair },
  { kind: 'arrow', key: 'n', icon: MoveUpLeft },
];

const ICONS: Readonly<Record<string, Component<{ size?: number }>>> = {
  ...Object.fromEntries(TOOLS.map(({ kind, icon }) => [`measure.${kind}`, icon])),
  'measure.undo': Undo,
  'measure.redo': Redo,
  'measure.delete': Trash,
};

/** Returns the tools and what is done with measurements, as a list has them: with icons in place of marks. */
export function measureItems(page: Page): ToolItem[] {
  return itemsOf(page, Object.keys(ICONS)).map(({ checked: _, ...item }) => ({
    ...item,
    icon: ICONS[item.id]!,
  }));
}

/** Returns the commands of the tools, and those on what is measured. */
export function measureCommands(page: Page): Command[] {
  const measurements = measurementsOf(page.workspace);
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
