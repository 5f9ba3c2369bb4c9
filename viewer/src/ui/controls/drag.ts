/** Things that the mouse or a pen drags to a place of the stage. A finger scrolls: for it, and for keys, there are buttons. */
import type { Attachment } from 'svelte/attachments';

export interface Dragged {
  /** Written beside the pointer. */
  name: string;
  /** @param place value of the attribute `data-place` of the element that it was dropped on */
  drop(place: number): void;
}

/** Attribute of the place that something is over. */
const OVER = 'data-over';
/** A pointer that moves less clicks. */
const STILL_PX = 6;

/** Lets an element be dragged. @param dragged asked when the pointer begins to drag; undefined for what cannot be dragged */
export function drag(dragged: () => Dragged | undefined): Attachment<HTMLElement> {
  return (element) => {
    let drop: (() => void) | undefined;
    const onDown = (event: PointerEvent) => {
      if (event.button !== 0 || event.pointerType === 'touch') return;
      drop?.();
      drop = followPointer(event, dragged);
    };
    // The browser would drag the picture of a thumbnail.
    const onNative = (event: DragEvent) => event.preventDefault();
    element.addEventListener('pointerdown', onDown);
    element.addEventListener('dragstart', onNative);
    return () => {
      drop?.();
      element.removeEventListener('pointerdown', onDown);
      element.removeEventListener('dragstart', onNative);
    };
  };
}

/** Follows a pointer that is down until it is up. @returns a function that ends it without a drop */
function followPointer(down: PointerEvent, dragged: () => Dragged | undefined): () => void {
  const listening = new AbortController();
  let dragging: { what: Dragged; label: HTMLElement } | undefined;
  const end = () => {
    listening.abort();
    dragging?.label.remove();
    mark(undefined);
  };
  const on = <Name extends keyof WindowEventMap>(
    name: Name,
    listener: (event: WindowEventMap[Name]) => void,
  ) => window.addEventListener(name, listener, { signal: listening.signal, capture: true });
  on('pointermove', (event) => {
    if (event.pointerId !== down.pointerId) return;
    if (!dragging) {
      if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < STILL_PX) return;
      const what = dragged();
      if (!what) return end();
      dragging = { what, label: labelOf(what.name) };
    }
    dragging.label.style.translate = `${event.clientX + 12}px ${event.clientY + 12}px`;
    mark(placeAt(event));
  });
  on('pointerup', (event) => {
    if (event.pointerId !== down.pointerId) return;
    const place = dragging && placeAt(event);
    if (dragging) swallowClick();
    const { what } = dragging ?? {};
    end();
    if (place) what?.drop(Number(place.dataset['place']));
  });
  on('pointercancel', end);
  // Those of elements come by here too.
  on('blur', (event) => event.target === window && end());
  on('keydown', (event) => {
    if (!dragging || event.key !== 'Escape') return;
    event.preventDefault();
    event.stopPropagation();
    swallowClick();
    end();
  });
  return end;
}

function placeAt({ clientX, clientY }: PointerEvent): HTMLElement | undefined {
  const under = document.elementFromPoint(clientX, clientY);
  return under?.closest<HTMLElement>('[data-place]') ?? undefined;
}

function mark(place: HTMLElement | undefined): void {
  for (const marked of document.querySelectorAll(`[${OVER}]`))
    if (marked !== place) marked.removeAttribute(OVER);
  place?.setAttribute(OVER, '');
}

function labelOf(name: string): HTMLElement {
  const label = document.createElement('div');
  label.className = 'dragged';
  label.setAttribute('aria-hidden', 'true');
  label.textContent = name;
  document.body.append(label);
  return label;
}

/** The click that follows a drag chooses nothing. */
function swallowClick(): void {
  const swallow = (event: MouseEvent) => {
    event.preventDefault();
    event.stopPropagation();
  };
  window.addEventListener('click', swallow, { capture: true, once: true });
  // There is none if the pointer went up over another element.
  setTimeout(() => window.removeEventListener('click', swallow, { capture: true }));
}
