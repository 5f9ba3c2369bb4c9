/**
 * Measures, inside a Node process, how long its event loop is blocked. Loaded with `--import` before the program
 * itself; plain JavaScript, because the program runs compiled. The Unix socket named by `WATCH_SOCKET` answers each
 * connection with the longest block since the connection before, in milliseconds, as JSON: `{"held":12.3}`.
 *
 * A block is the time between two turns of the loop, less the time in which the main thread waited for a CPU: other
 * processes of the machine cause that (Linux, /proc/PID/schedstat: run time and waiting time in ns).
 */
import { openSync, readSync } from 'node:fs';
import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const INTERVAL = 5;

if (isMainThread && process.env['WATCH_SOCKET']) watch(process.env['WATCH_SOCKET']);

/** @param {string} socket path of the Unix socket to listen on */
function watch(socket) {
  // The task that has the process id is the main thread.
  const schedstat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const buffer = Buffer.alloc(128);
  const waited = () => {
    const length = readSync(schedstat, buffer, 0, buffer.length, 0);
    return Number(buffer.toString('latin1', 0, length).split(' ')[1]) / 1e6;
  };

  let held = 0;
  let last = performance.now();
  let lastWaited = waited();
  const turn = () => {
    const now = performance.now();
    const nowWaited = waited();
    held = Math.max(held, now - last - (nowWaited - lastWaited) - INTERVAL);
    [last, lastWaited] = [now, nowWaited];
  };
  setInterval(turn, INTERVAL).unref();
  createServer((connection) => {
    turn();
    connection.end(JSON.stringify({ held }));
    held = 0;
  })
    .listen(socket)
    .unref();
}
