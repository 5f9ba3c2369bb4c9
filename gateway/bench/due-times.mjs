/**
 * A thread that says when requests are due. It sleeps until each of these times: the timers of an event loop are late by a
 * millisecond, and asking the clock all the time would take a processor from the server that is measured. Plain JavaScript,
 * because tests start it without a loader of TypeScript.
 */
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ start: number, rate: number, count: number }} times in milliseconds of `process.hrtime` */
const { start, rate, count } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
const now = () => Number(process.hrtime.bigint()) / 1e6;

for (let due = 0; due < count;) {
  Atomics.wait(never, 0, 0, Math.max(0, start + (due * 1000) / rate - now()));
  const reached = Math.min(count, Math.floor(((now() - start) * rate) / 1000) + 1);
  if (reached > due) parentPort.postMessage((due = reached));
}
