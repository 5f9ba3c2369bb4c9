import { fullWindow, presetsOf, sameWindow, type WindowPreset } from '../../domain/grey/window-presets.ts';
import { suvOf } from '../../domain/grey/suv.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import type { Workspace } from '../../state/stage/workspace.svelte.ts';
import type { Page } from '../../ui/context.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** The windows of the image in the active cell, and which of them is chosen. */
class WindowChoice {
  readonly #workspace: Workspace;
  /** The full range that was chosen last: it belongs to one image, and stays while others are shown. */
  #full = $state.raw<{ cell: Cell; window: object }>();
  readonly #suv = $derived.by(() => suvOf(this.#workspace.active.instances));
  readonly presets = $derived.by(() => {
    const { shown, view } = this.#workspace.active;
    return shown && view ? presetsOf(shown.image.metadata, this.#suv?.factor) : [];
  });

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** Undefined while the person's own window is set. */
  get chosen(): WindowPreset | undefined {
    const { active } = this.#workspace;
    const { window } = active;
    const id = !window
      ? 'stored'
      : this.#full?.cell === active && this.#full.window === window
        ? 'full'
        : undefined;
    return this.presets.find((one) => (id ? one.id === id : one.window && sameWindow(one.window, window!)));
  }

  choose(preset: WindowPreset): void {
    const { active } = this.#workspace;
    if (preset.id === 'stored') return active.setWindow(undefined);
    if (preset.window) return active.setWindow(preset.window);
    const pixels = active.view?.pixels();
    const window = pixels && active.shown && fullWindow(active.shown.image.metadata, pixels);
    if (!window) return;
    active.setWindow(window);
    this.#full = { cell: active, window: active.window! };
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
