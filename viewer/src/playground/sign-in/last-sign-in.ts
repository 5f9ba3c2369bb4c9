import type { TabStorage } from '../../state/sign-in/smart-answer.ts';

/** Facts about the last sign-in that the tab keeps for a page that is loaded again: never a token. */
export interface LastSignIn {
  /** `begun`: the browser has not come back with an answer. `pasted`: the token came from another program. */
  step: 'begun' | 'done' | 'pasted';
  /** The scopes that were asked for. */
  scope?: string;
}

const KEY = 'playground-sign-in';

/** Keeps a step of a sign-in; undefined: there is none. */
export function keepLastSignIn(storage: TabStorage, last: LastSignIn | undefined): void {
  if (last) storage.setItem(KEY, JSON.stringify(last));
  else storage.removeItem(KEY);
}

/** Returns the last sign-in of the tab; undefined after a sign-out. */
export function lastSignIn(storage: TabStorage): LastSignIn | undefined {
  const kept = storage.getItem(KEY);
  return kept === null ? undefined : (JSON.parse(kept) as LastSignIn);
}

/** Says why the page has no token although there was a sign-in. */
export const WHY_LOST: Readonly<Record<LastSignIn['step'], string>> = {
  begun: 'The sign-in was not finished. Your query is kept.',
  done: 'The page was loaded again. Its token was only in its memory, and is gone. Your query is kept.',
  pasted: 'The page was loaded again. The token was only in its memory, and is gone. Your query is kept.',
};
