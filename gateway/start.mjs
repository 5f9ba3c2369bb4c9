/**
 * `npm start`: builds what must be built, then starts the whole gateway in this same process.
 * `npm run check:tenant` the same with an argument, after which the gateway checks a tenant and ends.
 */
import { build } from './build.mjs';

try {
  await build(console.error);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
await import('../dist/gateway/main.js');
