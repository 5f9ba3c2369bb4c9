import { untrack } from 'svelte';

/** Milliseconds without a change, after which a part of the page counts as drawn. */
const STILL = 120;

/**
 * Waits until something is there. It reads again when the state changes that it has read.
 * @throws what `read` throws, or the reason of the signal
 */
export function untilThere<T>(read: () => T | undefined, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const settle = (how: () => void) => {
      how();
      ended.abort();
    };
    // An effect cannot be destroyed while it runs.
    ended.signal.addEventListener('abort', () => queueMicrotask(() => end()));
    const end = $effect.root(() => {
      $effect(() => {
        try {
          const found = read();
          if (found !== undefined) untrack(() => settle(() => resolve(found)));
        } catch (error) {
          settle(() => reject(error as Error));
        }
      });
    });
    const onAbort = () => settle(() => reject(signal.reason as Error));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { signal: ended.signal });
  });
}

/** Waits until nothing changes in an element for a moment: drawings on an image come after it. */
export async function untilStill(element: Element, signal: AbortSignal): Promise<void> {
  let last = performance.now();
  const observer = new MutationObserver(() => (last = performance.now()));
  observer.observe(element, { subtree: true, childList: true, attributes: true, characterData: true });
  try {
    for (let left = STILL; left > 0; left = last + STILL - performance.now()) {
      await new Promise((done) => setTimeout(done, left));
      signal.throwIfAborted();
    }
  } finally {
    observer.disconnect();
  }
}
