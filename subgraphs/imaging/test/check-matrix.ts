import { readFile, writeFile } from 'node:fs/promises';
import { withGeneratedPart } from '../../../docs/generate/generated-part.ts';
import { supportMatrix } from './support-matrix.ts';

/**
 * The support matrix of `docs/dicomweb.md` against what the sources do today.
 *
 *     npm run check:matrix               writes nothing; fails where the committed table is stale
 *     npm run check:matrix -- --write    writes it
 */

const page = new URL('../../../docs/dicomweb.md', import.meta.url);

/** The page as it is, and as it would be with this matrix. */
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
