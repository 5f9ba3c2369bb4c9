/** Loads a store in a process of its own: `load.child.ts <data> <database>`. It writes each progress as a line of JSON. */
import { writeSync } from 'node:fs';
import { loadStore } from '../sources/store/load.ts';

const [path = '', file = ''] = process.argv.slice(2);
loadStore(path, file, (progress) => writeSync(1, `${JSON.stringify(progress)}\n`));
