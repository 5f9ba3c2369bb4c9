import { stringifyDocument } from '@urql/core';
import { Kind, parse } from 'graphql';
import { TIMELINE } from '../../gateway/mcp/search-timeline.ts';
import { writeOrCheck, type Files } from '../../schema/generate/files.ts';
import { documentIdOf, type ManifestFile } from '../../schema/graphql/trusted-manifest.ts';
import * as viewer from '../../viewer/src/data/graph/documents.ts';
import { ANY_PATIENT } from '../../viewer/src/playground/answer.ts';
import { EXAMPLES } from '../../viewer/src/playground/examples/examples.ts';

/**
 * Writes `schema/trusted-documents.json` (FG-13): the queries of the viewer and of the playground, as their clients send
 * them, and those of the tools for assistants.
 *
 *     npx tsx docs/generate/trusted-documents.ts           writes it
 *     npx tsx docs/generate/trusted-documents.ts --check   writes nothing; fails if the file is out of date
 */
export function trustedDocumentsFile(): Files {
  const texts = [
    // The client of the viewer sends the text that this function makes.
    ...Object.values(viewer)
      .filter((exported) => typeof exported === 'object')
      .map(stringifyDocument)
      .sort(),
    ...EXAMPLES.map(({ query }) => query),
    ANY_PATIENT,
    TIMELINE,
  ];
  const manifest: ManifestFile = {
    format: 'apollo-persisted-query-manifest',
    version: 1,
    operations: texts.map(operationOf),
  };
  return { 'trusted-documents.json': `${JSON.stringify(manifest, null, 2)}\n` };
}

function operationOf(body: string): ManifestFile['operations'][number] {
  const operations = parse(body).definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  const [operation] = operations;
  if (operations.length !== 1 || !operation || !('operation' in operation) || !operation.name)
    throw new Error(`A trusted document has one operation, with a name: ${body}`);
  return { id: documentIdOf(body), name: operation.name.value, type: operation.operation, body };
}

if (import.meta.filename === process.argv[1]) {
  process.exitCode = writeOrCheck(
    new URL('../../schema/', import.meta.url),
    trustedDocumentsFile(),
    process.argv.slice(2),
    'npx tsx docs/generate/trusted-documents.ts',
  );
}
