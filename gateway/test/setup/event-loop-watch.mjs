/**
 * Measures, inside a Node process, how its event loop is blocked. Loaded with `--import` before the program itself; plain
 * JavaScript, because the program runs compiled. The Unix socket named by `WATCH_SOCKET` answers each connection with what
 * was measured since the connection before, as JSON: `{"held":12.3,"waits":[0.4,0.2]}`.
 *
 * All are milliseconds in which the main thread worked (Linux, /proc/PID/schedstat: time of running in ns). Time in which it
 * waited for a processor does not count: other programs of the machine cause that.
 * - `held`: the longest turn of the loop, without garbage collections, which come at any moment.
 * - `waits`: for each request with the header `x-due`, the time from that value of `schedstat` to the end of its answer.
 */
import { subscribe } from 'node:diagnostics_channel';
import { openSync, readSync } from 'node:fs';
import { createServer } from 'node:net';
import { PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const INTERVAL = 5;
/** Milliseconds of the turns that are looked at. */
const LONG = 20;

if (isMainThread && process.env['WATCH_SOCKET']) watch(process.env['WATCH_SOCKET']);

/** @param {string} socket path of the Unix socket to listen on */
function watch(socket) {
  // The task that has the process id is the main thread.
  const schedstat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const buffer = Buffer.alloc(128);
  const worked = () =>
    parseInt(buffer.toString('latin1', 0, readSync(schedstat, buffer, 0, buffer.length, 0))) / 1e6;

  /** @type {{ from: number, to: number, worked: number }[]} */
  let turns = [];
  /** @type {PerformanceEntry[]} */
  let collections = [];
  /** @type {number[]} */
  let waits = [];
  new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ['gc'] });

  let last = { at: performance.now(), worked: worked() };
  const turn = () => {
    const now = { at: performance.now(), worked: worked() };
    if (now.worked - last.worked > LONG)
      turns.push({ from: last.at, to: now.at, worked: now.worked - last.worked });
    last = now;
  };
  setInterval(turn, INTERVAL).unref();

  subscribe('http.server.response.finish', (message) => {
    const due = /** @type {any} */ (message).request.headers['x-due'];
    if (due !== undefined) waits.push(worked() - Number(due) / 1e6);
  });

  /** Milliseconds of collections within a turn. @param {{ from: number, to: number }} turn */
  const collecting = ({ from, to }) =>
    collections
      .filter(({ startTime }) => startTime >= from && startTime < to)
      .reduce((sum, { duration }) => sum + duration, 0);

  createServer((connection) => {
    turn();
    // Collections are told some moments after they took place.
    setTimeout(() => {
      const held = Math.max(0, ...turns.map((one) => one.worked - collecting(one)));
      connection.end(JSON.stringify({ held, waits }));
      [turns, collections, waits] = [[], [], []];
    }, INTERVAL);
  })
    .listen(socket)
    .unref();
}
