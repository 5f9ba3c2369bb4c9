/** Runs in the thread of `Stores` that loads stores, one after another. */
import type { MessagePort } from 'node:worker_threads';
import { loadStore, type LoadProgress } from './load.ts';

/** Milliseconds between two reports. */
const REPORT = 200;

/** @param progress receives each `LoadProgress`, at most five in a second */
export function load({ path, file, progress }: { path: string; file: string; progress: MessagePort }): void {
  let last = 0;
  let step: LoadProgress['step'] | undefined;
  try {
    loadStore(path, file, (report) => {
      if (report.step === step && Date.now() - last < REPORT) return;
      last = Date.now();
      step = report.step;
      progress.postMessage(report);
    });
  } finally {
    progress.close();
  }
}
