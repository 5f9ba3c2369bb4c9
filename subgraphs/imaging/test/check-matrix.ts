import { readFile, writeFile } from 'node:fs/promises';
import { withGeneratedPart } from '../../../docs/generate/generated-part.ts';
import { supportMatrix } from './support-matrix.ts';

/**
 * Compares the support matrix of `docs/dicomweb.md` with the present behaviour of the sources.
 *
 *     npm run check:matrix               fails when the committed table is stale, and writes nothing
 *     npm run check:matrix -- --write    writes the table
 */

const page = new URL('../../../docs/dicomweb.md', import.meta.url);

/** Returns the committed page, and the page with this matrix. */
export async function pages(matrix: string): Promise<{ committed: string; fresh: string }> {
  const committed = await readFile(page, 'utf8');
  return { committed, fresh: withGeneratedPart(committed, 'support matrix', matrix.trim()) };
}

if (import.meta.filename === process.argv[1]) {
  const { committed, fresh } = await pages(await supportMatrix());
  if (committed === fresh) console.log('The support matrix is fresh.');
  else if (process.argv.includes('--write')) await writeFile(page, fresh);
  else {
    console.error('The support matrix is stale: npm run check:matrix -- --write');
    process.exitCode = 1;
  }
}
