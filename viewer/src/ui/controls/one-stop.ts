import type { Attachment } from 'svelte/attachments';

/** Steps of the arrow keys: in a row, in a column, and in what is both. */
const STEPS: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowRight: (at) => at + 1,
  ArrowDown: (at) => at + 1,
  ArrowLeft: (at) => at - 1,
  ArrowUp: (at) => at - 1,
  Home: () => 0,
  End: (_, count) => count - 1,
};
/** Elements that have arrow keys of their own. */
const OWN_KEYS = 'input:not([type="checkbox"]), select, textarea';

/**
 * Makes a group one stop of Tab: arrow keys, Home and End go through what can have the focus in it (WAI-ARIA Authoring
 * Practices, roving tabindex). Tab comes back to where the focus was.
 * @param of selector of its members
 */
export function oneStop(of = 'button, a[href]'): Attachment<HTMLElement> {
  return (group) => {
    let last: HTMLElement | undefined;
    const members = () =>
      [...group.querySelectorAll<HTMLElement>(of)].filter(
        (one) => !one.matches(':disabled') && one.checkVisibility({ visibilityProperty: true }),
      );
    const settle = () => {
      const all = members();
      const chosen = all.find((one) => one.getAttribute('aria-selected') === 'true');
      const stop = last && all.includes(last) ? last : (chosen ?? all[0]);
      for (const one of group.querySelectorAll<HTMLElement>(of)) one.tabIndex = one === stop ? 0 : -1;
    };
    const onfocusin = ({ target }: FocusEvent) => {
      if (!(target instanceof HTMLElement) || !target.matches(of)) return;
      last = target;
      settle();
    };
    const onkeydown = (event: KeyboardEvent) => {
      const { target, key } = event;
      const step = STEPS[key];
      if (!step || event.defaultPrevented || !(target instanceof HTMLElement) || target.matches(OWN_KEYS))
        return;
      if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
      const all = members();
      const at = all.indexOf(target);
      if (at < 0) return;
      event.preventDefault();
      all[Math.min(Math.max(step(at, all.length), 0), all.length - 1)]!.focus();
    };
    const changes = new MutationObserver(settle);
    changes.observe(group, {
      childList: true,
      subtree: true,
      attributeFilter: ['disabled', 'class', 'aria-selected'],
    });
    group.addEventListener('focusin', onfocusin);
    group.addEventListener('keydown', onkeydown);
    settle();
    return () => {
      changes.disconnect();
      group.removeEventListener('focusin', onfocusin);
      group.removeEventListener('keydown', onkeydown);
    };
  };
}
