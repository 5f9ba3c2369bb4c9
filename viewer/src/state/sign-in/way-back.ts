/**
 * Keeps the pages of a sign-in out of the way of Back. Each form that the user sends there adds an entry to the history, and
 * the last one leads to a page of the viewer behind them all. So the viewer leaves from an entry of its own, and the answer
 * is read at the one before, to which it goes back: Back then leads out of the viewer.
 */
import type { TabStorage } from './smart-answer.ts';

/** Has the length of the history when the page left. */
const LEFT_AT = 'sign-in left at';
/** Has the query of the answer, on the way back. */
const ANSWER = 'sign-in answer';
/** Browsers keep 50 entries: of a longer history nobody knows how many were added. */
const MOST_ENTRIES = 50;

/** Leaves for a sign-in. @param isSilent true if the server shows no page, and so adds no entry */
export function leaveFor(to: URL, isSilent: boolean, storage: TabStorage): void {
  storage.removeItem(LEFT_AT);
  if (!isSilent) {
    history.replaceState({ ...(history.state as object | null), left: true }, '');
    history.pushState(null, '');
    storage.setItem(LEFT_AT, String(history.length));
  }
  beginAnewIfKept();
  window.location.replace(to);
}

/** Goes back to the entry that the page left from, where `takeAnswer` has the answer. @returns false if that is not known */
export function goBackWith(answer: URL, storage: TabStorage): boolean {
  const leftAt = Number(storage.getItem(LEFT_AT));
  storage.removeItem(LEFT_AT);
  const added = history.length - leftAt;
  if (leftAt === 0 || added < 0 || history.length >= MOST_ENTRIES) return false;
  storage.setItem(ANSWER, answer.search);
  beginAnewIfKept();
  history.go(-added - 1);
  return true;
}

/** Reloads the page when the browser has kept it as it is now, and shows it again. */
export function beginAnewIfKept(): void {
  window.addEventListener('pageshow', ({ persisted }) => persisted && window.location.reload());
}

/** Returns the address of the page: that of an answer, if the browser has just come back with one. */
export function takeAnswer(storage: TabStorage): URL {
  const address = new URL(window.location.href);
  address.search = storage.getItem(ANSWER) ?? address.search;
  storage.removeItem(ANSWER);
  return address;
}

/** True if the user has come back from the pages of a sign-in without an answer: another one would be in the way of Back. */
export function isUnanswered(): boolean {
  return (history.state as { left?: boolean } | null)?.left === true;
}

/** True if the browser is about to bring an answer, or has. */
export function bringsAnswer(storage: TabStorage | undefined): boolean {
  return new URLSearchParams(window.location.search).has('code') || Boolean(storage?.getItem(ANSWER));
}
