/** Lets a thread run TypeScript. `--import tsx` does that only in the first thread of a process. */
import { register } from 'tsx/esm/api';

register();
