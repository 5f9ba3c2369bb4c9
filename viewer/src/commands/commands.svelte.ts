import { untrack } from 'svelte';
import { answersItself, isInDialog, keyName, writesText } from './keys.ts';
import type { Command } from './registry.ts';

/** All commands of the page, in the order in which they were registered. */
export class Commands {
  all = $state.raw<readonly Command[]>([]);

  /** Adds commands. @returns a function that removes them @throws if an id or a key is taken */
  register(added: readonly Command[]): () => void {
    // An effect that registers does not depend on what others register.
    untrack(() => this.#add(added));
    return () => (this.all = untrack(() => this.all).filter((one) => !added.includes(one)));
  }

  #add(added: readonly Command[]): void {
    for (const { id, keys = [] } of added) {
      if (this.all.some((one) => one.id === id)) throw new Error(`There are two commands ${id}.`);
      const taken = keys.find((key) => this.all.some((one) => one.keys?.includes(key)));
      if (taken) throw new Error(`The key ${taken} of ${id} has a command already.`);
    }
    this.all = [...this.all, ...added];
  }

  /** Returns a command by its id. @throws if there is none */
  get(id: string): Command {
    const command = this.all.find((one) => one.id === id);
    if (!command) throw new Error(`There is no command ${id}.`);
    return command;
  }

  run(id: string): void {
    const command = this.get(id);
    if (command.enabled?.() ?? true) command.run();
  }

  /** Runs the command of a key, unless the key belongs to what has the focus. */
  readonly onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented) return;
    const key = keyName(event);
    if (key === undefined || answersItself(event.target, event.key)) return;
    if (key !== 'Escape' && (writesText(event.target) || isInDialog(event.target))) return;
    const command = this.all.find(({ keys }) => keys?.includes(key));
    if (!command || !(command.enabled?.() ?? true)) return;
    event.preventDefault();
    command.run();
  };
}
