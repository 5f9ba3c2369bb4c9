/**
 * `npm start`: builds when sources have changed, then starts the whole gateway in this process.
 * `npm run check:tenant`: does the same with an argument, which makes the gateway check a tenant and exit.
 */
import { build } from './build.mjs';

try {
  await build(console.error);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
await import('../dist/gateway/main.js');
