import GitCompareArrows from '@lucide/svelte/icons/git-compare-arrows';
import { isStored, type Study } from '../../domain/study.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Page } from '../../ui/context.ts';
import { itemsOf, type Tool, type ToolItem } from '../../ui/feature.ts';
import { comparisonOf } from './comparison.svelte.ts';
import { LINKED_PARTS } from './linked-view.svelte.ts';
import { dayWords, roleWords } from './words.ts';

const LINKS = ['compare.link', ...LINKED_PARTS.map((part) => `compare.link-${part}`)];

/** Returns the button of comparisons: the newest earlier study, the list of all, and the link. */
export function compareTool(page: Page): Tool {
  const { workspace } = page;
  const comparison = comparisonOf(page);
  /** Undefined until they are known. */
  const priors = () =>
    comparison.priors?.of === workspace.study?.uid ? comparison.priors?.studies : undefined;
  const item = (study: Study): ToolItem => {
    const isShown = comparison.study?.uid === study.uid;
    const says = [
      dayWords(study),
      workspace.study && roleWords(study, workspace.study).span,
      !isStored(study) && m.notStored(),
      isShown && m.shownBeside(),
    ];
    return {
      id: study.uid,
      name: study.description ?? m.kindStudy(),
      detail: says.filter(Boolean).join(' · '),
      checked: isShown,
      disabled: !isStored(study),
      run: () => comparison.show(study),
    };
  };
  return {
    id: 'compare',
    icon: GitCompareArrows,
    name: m.compare,
    does: {
      items: () => [
        ...itemsOf(page, ['compare.prior']),
        ...(priors() ?? []).map(item),
        ...(comparison.scroll.pair ? itemsOf(page, LINKS) : []),
      ],
      note: () =>
        comparison.asking
          ? m.compareAsking()
          : priors()?.length === 0
            ? m.compareNone()
            : priors()
              ? undefined
              : comparison.trouble && m.troubleServerRecord(),
      used: () => comparison.study !== undefined,
      opened: () => void comparison.find(),
    },
    onPhone: true,
  };
}
