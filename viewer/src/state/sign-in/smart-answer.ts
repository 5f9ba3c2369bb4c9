/** The traces of a launch in the tab, and the answer with which the browser comes back (RFC 6749 §4.1.2). */
import { SignInProblem } from './sign-in-problem.ts';
import type { SmartServer } from './smart-server.ts';

/** The state of a launch until the authorization server redirects the browser back. */
export interface Pending {
  fhirBase: string;
  /** The server's own description of its sign-in: it was asked before the launch. */
  smart: SmartServer;
  redirectUri: string;
  verifier: string;
  /** The query string of the page before the launch. */
  returnTo: string;
  /** True if the server was asked to show no page. */
  isSilent: boolean;
}

/** Values that are kept between the pages of one sign-in: never a token. */
export type TabStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'smart-launch ';

/** Keeps a launch until its answer comes. */
export function keepPending(state: string, pending: Pending, storage: TabStorage): void {
  storage.setItem(KEY + state, JSON.stringify(pending));
}

/** Forgets the launches whose answers have not come: they may name a patient. */
export function forgetPending(storage: Pick<Storage, 'length' | 'key' | 'removeItem'>): void {
  const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
  for (const key of keys) if (key?.startsWith(KEY)) storage.removeItem(key);
}

/** Returns true if the URL is an authorization response. */
export function isAnswer({ searchParams }: URL): boolean {
  return searchParams.has('state') && (searchParams.has('code') || searchParams.has('error'));
}

/**
 * Returns the launch that an authorization response belongs to, and removes it from the storage.
 * @throws SignInProblem `not-begun-here`
 */
export function takePending(answer: URL, storage: TabStorage): Pending {
  const key = KEY + answer.searchParams.get('state')!;
  const stored = storage.getItem(key);
  storage.removeItem(key);
  if (!stored)
    throw new SignInProblem(
      'not-begun-here',
      'This sign-in was not begun in this tab. Please sign in again.',
    );
  return JSON.parse(stored) as Pending;
}

/** Errors of a server that would have to show a page (OpenID Connect Core §3.1.2.6). */
const NEEDS_PAGE = [
  'login_required',
  'consent_required',
  'interaction_required',
  'account_selection_required',
];

/** Returns true if the response says that there is no sign-in without a page. */
export function needsPage({ searchParams }: URL): boolean {
  return NEEDS_PAGE.includes(searchParams.get('error') ?? '');
}
