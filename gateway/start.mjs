/** `npm start`: builds what must be built, then starts the whole gateway in this same process. */
import { build } from './build.mjs';

try {
  await build(console.log);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
await import('../dist/gateway/main.js');
