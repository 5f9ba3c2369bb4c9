import type { Study } from '../../domain/study.ts';
import type { Trouble } from '../../data/trouble.ts';
import { dateLanguage, dayOf } from '../../messages/dates.ts';
import { m } from '../../messages/compiled/messages.js';
import { modalityNames, type Wording } from '../../messages/modalities.ts';

/** Characters of a passcode. One that is suggested has 40 bits: five wrong ones end a link. */
export const SHORTEST_PASSCODE = 6;
export const SUGGESTED_PASSCODE = 8;
const LONGEST_LABEL = 80;

/** Returns some numbers, none of them larger than the server allows. */
export function allowed(wished: readonly number[], most: number): number[] {
  return [...new Set(wished.map((number) => Math.min(number, most)))];
}

/** Returns the last day of a link, `YYYY-MM-DD`. A day, not a moment: the clock of the server may differ. */
export function lastDay(days: number, now = Date.now()): string {
  return new Date(now + days * 86_400_000).toISOString().slice(0, 10);
}

/** Returns what a study is called in the list of links and in the link itself: one line. */
export function labelOf({ description, modalities, started }: Study, wording: Wording): string {
  const words = [description ?? modalityNames(modalities, wording), started && dayOf(started)];
  const line = words
    .filter(Boolean)
    .join(', ')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  // Half a character is none.
  return (line || m.share()).slice(0, LONGEST_LABEL).replace(/[\uD800-\uDBFF]$/, '');
}

/** Formats a moment where the person is: `5 Mar 2026, 10:12`. */
export function momentWords(time: string): string {
  const format = new Intl.DateTimeFormat(dateLanguage(), { dateStyle: 'medium', timeStyle: 'short' });
  return format.format(new Date(time));
}

/** Says why something did not work. @param otherwise for failures of the server */
export function shareTrouble({ kind, status }: Trouble, otherwise: string): string {
  if (kind === 'offline') return m.troubleOffline();
  if (kind === 'signed-out') return m.troubleSignedOut();
  if (kind === 'refused' || kind === 'not-found') return m.shareRefused();
  return status === 429 ? m.shareTooMany() : otherwise;
}
