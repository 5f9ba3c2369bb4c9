import type { LinkGap } from '../../domain/series/linked-stacks.ts';
import type { Study } from '../../domain/study.ts';
import { dayOf, spanOf } from '../../messages/dates.ts';
import { m } from '../../messages/compiled/messages.js';
import type { LinkedScroll } from './linked-scroll.svelte.ts';
import { LINKED_PARTS, type LinkedPart, type LinkedView } from './linked-view.svelte.ts';

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

/** Names of the switches. */
export const LINK_NAMES: Record<LinkedPart, () => string> = {
  zoom: m.commandLinkZoom,
  window: m.commandLinkWindow,
  rotation: m.commandLinkRotation,
};
const PARTS: Record<LinkedPart | 'scroll', () => string> = {
  scroll: m.linkedScroll,
  zoom: m.linkedZoom,
  window: m.linkedWindow,
  rotation: m.linkedRotation,
};
const GAPS: Record<LinkGap, () => string> = {
  'no-position': m.compareGapPosition,
  'other-plane': m.compareGapPlane,
  'other-frame': m.compareGapFrame,
};

/** Returns what two images have in common, what not, and why; undefined while there are no two. */
export function linkWords({ scroll, view }: { scroll: LinkedScroll; view: LinkedView }): string | undefined {
  const { link, linked, offset } = scroll;
  if (!link) return undefined;
  const isOn = (part: LinkedPart | 'scroll') => (part === 'scroll' ? linked : view.parts.has(part));
  const all = ['scroll', ...LINKED_PARTS] as const;
  const hasUnit = view.valueFactor !== undefined;
  const listed = (parts: readonly (typeof all)[number][]) => parts.map((part) => PARTS[part]()).join(', ');
  const on = listed(all.filter((part) => isOn(part) && (part !== 'window' || hasUnit)));
  const off = listed(all.filter((part) => !isOn(part)));
  if (!all.some(isOn)) return m.compareLinkOff();
  const mm = Math.round(Math.abs(offset));
  return [
    on && m.compareLinked({ what: on }),
    linked && link.gap && GAPS[link.gap](),
    linked && offset !== 0 && (link.gap ? m.compareApartNumber() : m.compareApart({ offset: mm })),
    isOn('zoom') && !view.inMillimetres && m.compareGapSpacing(),
    isOn('window') && !hasUnit && m.compareGapUnit(),
    off && m.compareLinkedOff({ what: off }),
  ]
    .filter(Boolean)
    .join(' · ');
}
