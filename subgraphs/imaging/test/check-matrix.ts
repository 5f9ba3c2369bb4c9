import { readFile, writeFile } from 'node:fs/promises';
import { supportMatrix } from './support-matrix.ts';

/**
 * The support matrix of `subgraphs/imaging/README.md` against what the sources do today.
 *
 *     npm run check:matrix               writes nothing; fails where the committed table is stale
 *     npm run check:matrix -- --write    writes it
 */

const readme = new URL('../README.md', import.meta.url);
const BETWEEN = /(<!-- support matrix[^>]*-->\n)[^]*(\n<!-- end of the support matrix -->)/;

/** The README as it is, and as it would be with this matrix. */
export async function readmes(matrix: string): Promise<{ committed: string; fresh: string }> {
  const committed = await readFile(readme, 'utf8');
  if (!BETWEEN.test(committed)) throw new Error('The README has no place for the support matrix.');
  const fresh = committed.replace(BETWEEN, (_, begin: string, end: string) => `${begin}\n${matrix}${end}`);
  return { committed, fresh };
}

if (import.meta.filename === process.argv[1]) {
  const { committed, fresh } = await readmes(await supportMatrix());
  if (committed === fresh) console.log('The support matrix is fresh.');
  else if (process.argv.includes('--write')) await writeFile(readme, fresh);
  else {
    console.error('The support matrix is stale: npm run check:matrix -- --write');
    process.exitCode = 1;
  }
}
