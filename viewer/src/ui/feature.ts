/** The parts that a feature adds to the page of a record. `features.ts` lists the features; the page knows none by name. */
import { createContext, type Component } from 'svelte';
import type { Command } from '../commands/registry.ts';
import type { Result } from '../domain/record/record.ts';
import type { Series, Study } from '../domain/study.ts';
import type { Cell } from '../state/stage/cell.svelte.ts';
import type { Page } from './context.ts';

export interface Feature {
  /** Called once, when the page of a record opens. */
  commands?(page: Page): readonly Command[];
  /** Its buttons in the tool bar. */
  tools?(page: Page): readonly Tool[];
  /** Drawn above each image; it takes pointers only where it must, and leaves the others to the image. */
  overlay?: Component<{ cell: Cell }>;
  /** Above an image; takes its height from it. */
  above?: Component<{ cell: Cell }>;
  /** Between an image and its slider. */
  below?: Component<{ cell: Cell }>;
  /** On the slider of a stack; takes no pointers. */
  slider?: Component<{ cell: Cell }>;
  /** On the thumbnail of a series. */
  card?: Component<{ series: Series }>;
  panel?: Panel;
  /** Stands in the panel of another feature, below what that has; the panel is there while either has something. */
  section?: { panel: string; available(page: Page): boolean; component: Component };
  /** Takes the place of the image in cells that show something else. */
  view?: { shows(cell: Cell): boolean; component: Component<{ cell: Cell }> };
  /** Shows more of a result of the timeline; its name is then a button. */
  result?(result: Result, page: Page): void;
  /** Its parts of printed pages. */
  printed?(page: Page): readonly Printed[];
  /** Beside a study of the timeline that can be opened. */
  study?: Component<{ study: Study }>;
  /** On the page all the time, such as a dialog. */
  dialog?: Component;
}

/** A button of the tool bar: it runs a command, or opens a list. */
export interface Tool {
  id: string;
  icon: Component<{ size?: number }>;
  name(): string;
  /** The choice: it takes the place of the name, and stays where the other buttons have only an icon. */
  value?(): string | undefined;
  does: { command: string } | ToolList;
  /** False where there is nothing to do with it. */
  available?(): boolean;
  /** True for what a phone has in its bar; it has the others under "More". */
  onPhone?: boolean;
  /** True for those at the right end. */
  end?: boolean;
}

export interface ToolList {
  items(): readonly ToolItem[];
  /** Above the items. */
  note?(): string | undefined;
  /** True while something of the list is in use. */
  used?(): boolean;
  /** True if the item that was run has taken the focus, which otherwise goes back to the button. */
  keepsFocus?(): boolean;
  /** Called when the list is opened. */
  opened?(): void;
}

export interface ToolItem {
  id: string;
  name: string;
  /** A second line. */
  detail?: string;
  key?: string | undefined;
  /** In place of a mark. */
  icon?: Component<{ size?: number }>;
  /** For items that are switched on, or chosen. */
  checked?: boolean | undefined;
  /** True for one of several of which one is chosen. */
  choice?: boolean;
  disabled?: boolean;
  run: () => void;
}

/** Something that a person can print. */
export interface Printed {
  id: string;
  name: string;
  /** The name of several of a kind. They are printed where a person asks for them, all else unless a person leaves it out. */
  group?: string;
  /** @returns what is drawn black on white @throws Trouble */
  load(signal: AbortSignal): Promise<Component>;
}

/** Returns the items of commands, in this order; ids that are not registered have none. */
export function itemsOf({ commands }: Page, ids: readonly string[]): ToolItem[] {
  return ids.flatMap((id) => {
    const command = commands.all.find((one) => one.id === id);
    if (!command) return [];
    return {
      id,
      name: command.name(),
      key: command.keys?.[0],
      checked: command.pressed?.(),
      disabled: !(command.enabled?.() ?? true),
      run: () => commands.run(id),
    };
  });
}

/** Stands beside the images; one at a time is open, under tabs. The command `panel.{id}` opens and closes it. */
export interface Panel {
  id: string;
  name(): string;
  /** Of the command. */
  command: { name(): string; key: string };
  icon: Component<{ size?: number }>;
  /** False while there is nothing to see in it. */
  available(page: Page): boolean;
  /** True if it is open without being asked for, where there is room. */
  opensItself?: boolean;
  component: Component;
}

export const [getFeatures, setFeatures] = createContext<readonly Feature[]>();
