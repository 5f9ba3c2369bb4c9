import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds for which reading many headers may hold the event loop. */
const SLICE = 10;

/** For long work in many pieces: gives what is to be awaited after each, which lets others have their turn now and then. */
export function slices(): () => Promise<void> {
  let end = performance.now() + SLICE;
  return async () => {
    if (performance.now() < end) return;
    await sleep(0);
    end = performance.now() + SLICE;
  };
}
