/** The parts that a feature adds to the page of a record. `features.ts` lists the features; the page knows none by name. */
import { createContext, type Component } from 'svelte';
import type { Command } from '../commands/registry.ts';
import type { Result } from '../domain/record/record.ts';
import type { Study } from '../domain/study.ts';
import type { Cell } from '../state/stage/cell.svelte.ts';
import type { Page } from './context.ts';

export interface Feature {
  /** Called once, when the page of a record opens. */
  commands?(page: Page): readonly Command[];
  /** Its buttons and menus in the tool bar. */
  tools?: Component;
  /** Drawn above each image; it takes pointers only where it must, and leaves the others to the image. */
  overlay?: Component<{ cell: Cell }>;
  /** Above an image; takes its height from it. */
  above?: Component<{ cell: Cell }>;
  /** Between an image and its slider. */
  below?: Component<{ cell: Cell }>;
  panel?: Panel;
  /** Takes the place of the image in cells that show something else. */
  view?: { shows(cell: Cell): boolean; component: Component<{ cell: Cell }> };
  /** Shows more of a result of the timeline; its name is then a button. */
  result?(result: Result, page: Page): void;
  /** Beside a study of the timeline that can be opened. */
  study?: Component<{ study: Study }>;
  /** On the page all the time, such as a dialog. */
  dialog?: Component;
}

/** Stands beside the images; one at a time is open. The command `panel.{id}` opens and closes it. */
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
