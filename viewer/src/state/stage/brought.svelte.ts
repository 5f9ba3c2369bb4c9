import type { Instance } from '../../domain/instance.ts';
import { onePer } from '../browser/one-per.ts';
import type { Workspace } from './workspace.svelte.ts';

/** An object of a file that a person has brought to the page. */
export interface BroughtObject {
  /** Study Instance UID. */
  study: string;
  instance: Instance;
}

/** Objects of files: they are drawn as those of the archive are, stay on this page alone, and go with the patient. */
class Brought {
  all = $state.raw<readonly BroughtObject[]>([]);

  /** @returns false for one that is there already */
  add(added: BroughtObject): boolean {
    const uid = sopInstance(added);
    if (this.all.some((one) => sopInstance(one) === uid)) return false;
    this.all = [...this.all, added];
    return true;
  }

  clear(): void {
    this.all = [];
  }
}

const sopInstance = ({ instance }: BroughtObject): unknown => instance['00080018']?.Value?.[0];

/** Returns what was brought to a workspace. */
export const broughtTo = onePer((_workspace: Workspace) => new Brought());
