/**
 * Loaded before the program of a gateway: at SIGUSR2 it collects all garbage, and writes the bytes of the objects that are left
 * into the file named by `LIVE_HEAP`. It is plain JavaScript, because the program runs compiled.
 */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc');
  process.on('SIGUSR2', () => {
    collect();
    writeFileSync(process.env['LIVE_HEAP'] ?? '', String(process.memoryUsage().heapUsed));
  });
}
