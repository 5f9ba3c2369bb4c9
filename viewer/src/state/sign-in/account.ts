import type { ServerList } from '../browser/server-list.svelte.ts';

/** The user of the page, as the shell sees it; `session.svelte.ts` is one. */
export interface Account {
  /** `opening` until it is known whether a token is needed. */
  readonly phase: 'opening' | 'signed-out' | 'ready';
  /** Why nobody is signed in: the kind, for which the messages have words, and a sentence in English. */
  readonly problem: { kind: string; message: string; server?: string | undefined } | undefined;
  /** The servers that the user can choose. */
  readonly servers: ServerList;
  /** Id of the server that the address names; empty for one that is not in the list. */
  readonly serverId: string;
  /** True after the user has signed out. */
  readonly left: boolean;
  /** The patient that the token is for; undefined if the user chooses. */
  readonly patient: string | undefined;
  readonly signInPossible: boolean;
  readonly signedIn: boolean;
  readonly choosesPatient: boolean;
  open(): Promise<void>;
  signIn(): Promise<void>;
  signOut(): Promise<void>;
}
