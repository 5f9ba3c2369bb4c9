import {
  fullWindow,
  lacksHounsfield,
  presetsOf,
  sameWindow,
  type WindowPreset,
} from '../../domain/grey/window-presets.ts';
import { suvOf, type SuvGap } from '../../domain/grey/suv.ts';
import type { Workspace } from '../../state/stage/workspace.svelte.ts';
import type { Page } from '../../ui/context.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** The windows of the image in the active cell, and which of them is chosen. */
class WindowChoice {
  readonly #workspace: Workspace;
  /** Ids of what was chosen, by the window that was set by it: several choices may have equal values. */
  readonly #ids = new WeakMap<object, string>();
  readonly #suv = $derived.by(() => suvOf(this.#workspace.active.instances));
  readonly presets = $derived.by(() => {
    const { shown, view } = this.#workspace.active;
    return shown && view ? presetsOf(shown.image.metadata, this.#suv?.factor) : [];
  });

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** Why a PET has no windows in SUV; undefined for one that has, and for other images. */
  get suvGap(): SuvGap | undefined {
    return this.#workspace.active.shown && this.#suv?.gap;
  }

  /** Why the usual windows of a CT are not offered. */
  get lacksHounsfield(): boolean {
    const { shown } = this.#workspace.active;
    return shown !== undefined && lacksHounsfield(shown.image.metadata);
  }

  /** The choice; of a window that the address named, the only one that has its values; undefined for any other window. */
  get chosen(): WindowPreset | undefined {
    const { window } = this.#workspace.active;
    const id = window ? this.#ids.get(window) : 'stored';
    const able = this.presets.filter((one) =>
      window && one.window ? sameWindow(one.window, window) : one.id === id,
    );
    return able.find((one) => one.id === id) ?? (able.length === 1 ? able[0] : undefined);
  }

  choose({ id, window }: WindowPreset): void {
    const { active } = this.#workspace;
    const pixels = id === 'full' ? active.view?.pixels() : undefined;
    const set = pixels && active.shown ? fullWindow(active.shown.image.metadata, pixels) : window;
    if (!set && id !== 'stored') return;
    active.setWindow(set);
    if (active.window) this.#ids.set(active.window, id);
  }

  /** Chooses the next window of the list, or the one before; the first after the person's own. */
  step(by: 1 | -1): void {
    const { presets, chosen } = this;
    const at = chosen ? presets.indexOf(chosen) + by : 0;
    const next = presets[(at + presets.length) % presets.length];
    if (next) this.choose(next);
  }
}

/** Returns the one choice of a page: its keys and its menu share it. */
export const choiceOf = onePer((page: Page) => new WindowChoice(page.workspace));
