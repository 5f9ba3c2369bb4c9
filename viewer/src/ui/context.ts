import { createContext } from 'svelte';
import type { Commands } from '../commands/commands.svelte.ts';
import type { Levels } from '../commands/levels.ts';
import type { RecordSource } from '../data/source.ts';
import type { Account } from '../state/sign-in/account.ts';
import type { Foreseen } from '../state/stage/foreseen.svelte.ts';
import type { Preferences } from '../state/browser/preferences.svelte.ts';
import type { RecordState } from '../state/record/record.svelte.ts';
import type { Route } from '../state/route.svelte.ts';
import type { Workspace } from '../state/stage/workspace.svelte.ts';

/** Objects that all parts of the page share, also those without a record. */
export interface Shell {
  account: Account;
  records: RecordSource;
  preferences: Preferences;
  route: Route;
  record: RecordState;
  foreseen: Foreseen;
  commands: Commands;
  levels: Levels;
}

/** Objects that all parts of the page of a record share. */
export interface Page extends Shell {
  workspace: Workspace;
}

export const [getShell, setShell] = createContext<Shell>();
export const [getPage, setPage] = createContext<Page>();

/** From this width all zones stand side by side; below it they are screens. */
export const WIDE = 'min-width: 1024px';

/** Up to here the page is that of a phone, also of one on its side. */
export const NARROW =
  '(max-width: 699px), (max-height: 500px) and (orientation: landscape) and (max-width: 1023px)';

/** Today as `YYYY-MM-DD`, where the person is. */
export function today(): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}
