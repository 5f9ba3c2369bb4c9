/**
 * Generates the schema of both subgraphs and composes it.
 *
 *     npm run schema               the default resource list, as committed
 *     npm run schema -- --all      every resource of R4: the next start serves them
 *     npm run schema -- --check    writes nothing; fails when the committed files are stale
 */
import { composeSubgraphs } from './compose.ts';
import { writeOrCheck } from './files.ts';
import { generate } from './generate.ts';

const args = process.argv.slice(2);
const generated = generate(args.includes('--all'));
const subgraphs = { clinical: generated['clinical.graphql']!, imaging: generated['imaging.graphql']! };
const composed = composeSubgraphs(subgraphs, generated['tables.json']!);
const files = { ...generated, ...composed };
process.exitCode = writeOrCheck(new URL('../', import.meta.url), files, args, 'npm run schema');
