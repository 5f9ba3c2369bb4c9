/**
 * Loads a store in a process of its own: `load.child.ts <data> <database> <step> <resources> <milliseconds>`. At this place
 * of the load it writes a line, and stops for this time: so a test that is slow on a busy machine comes before its end.
 */
import { writeSync } from 'node:fs';
import { loadStore } from '../sources/store/load.ts';

const [path = '', file = '', step, resources, milliseconds] = process.argv.slice(2);
let told = false;
loadStore(path, file, (progress) => {
  if (told || progress.step !== step || progress.resources < Number(resources)) return;
  told = true;
  writeSync(1, 'there\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds));
});
