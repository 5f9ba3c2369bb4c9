import type { Study } from '../../domain/study.ts';
import { dayOf, spanOf } from '../../messages/dates.ts';
import { m } from '../../messages/compiled/messages.js';
import type { LinkedScroll } from './linked-scroll.svelte.ts';

/** Returns the day of a study. */
export function dayWords({ started }: Study): string {
  return started ? dayOf(started) : m.noDate();
}

/** Returns what a study is called: `CT chest, 6 Nov 2025`. */
export function studyWords(study: Study): string {
  return [study.description, dayWords(study)].filter(Boolean).join(', ');
}

/** Returns what a study is for the one that is open: its role, and the time between both. */
export function roleWords(study: Study, opened: Study): { role: string; span?: string } {
  if (study.uid === opened.uid) return { role: m.compareCurrent() };
  const [from, to] = [study.started, opened.started];
  if (!from || !to) return { role: m.comparePrior() };
  const isLater = from > to;
  const span = spanOf(from, to);
  const words = span && (isLater ? m.compareAfter({ span }) : m.compareBefore({ span }));
  return { role: isLater ? m.compareLater() : m.comparePrior(), ...(words && { span: words }) };
}

/** Returns how two images scroll together; undefined while there are no two. */
export function linkWords({ link, linked, offset }: LinkedScroll): string | undefined {
  if (!link) return undefined;
  if (!linked) return m.compareLinkOff();
  const isApart = offset !== 0;
  if (link.by === 'number') return isApart ? m.compareLinkedByNumberApart() : m.compareLinkedByNumber();
  if (!isApart) return m.compareLinkedByPosition();
  return m.compareLinkedByPositionApart({ offset: Math.round(Math.abs(offset)) });
}
