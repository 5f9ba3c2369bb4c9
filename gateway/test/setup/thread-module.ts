/**
 * Takes the place of `schema/process/thread-module.ts` in tests: threads run the built modules where the build is up to
 * date, because they start in half of the time without a compiler.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../../', import.meta.url);
const { isBuilt } = (await import(new URL('gateway/build.mjs', ROOT).href)) as { isBuilt(): boolean };
const BUILT = isBuilt();

/** As in `schema/process/thread-module.ts`. */
export function threadModule(name: string, from: string): URL {
  const source = new URL(`./${name}.ts`, from);
  if (!BUILT || !source.href.startsWith(ROOT.href)) return source;
  const built = new URL(`dist/${source.href.slice(ROOT.href.length, -'ts'.length)}js`, ROOT);
  return existsSync(fileURLToPath(built)) ? built : source;
}
