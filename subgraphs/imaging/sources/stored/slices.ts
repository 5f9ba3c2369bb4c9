import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds for which long work may block the event loop. */
const SLICE = 10;

/** Returns a function to await after each piece of long work, which lets other work continue from time to time. */
export function slices(): () => Promise<void> {
  let end = performance.now() + SLICE;
  return async () => {
    if (performance.now() < end) return;
    await sleep(0);
    end = performance.now() + SLICE;
  };
}
