import { blocks, type Block } from './pages.ts';

const ANOTHER_MACHINE = 'needs the registry of packages, or Docker';

/**
 * Blocks that docs/commands.test.ts and docs/commands.whole.test.ts do not run: the page, how the block begins (its language,
 * a space, its text), and the test that runs it or the reason.
 */
export const NOT_RUN: readonly (readonly [page: string, begin: string, instead: string])[] = [
  ['README.md', 'sh npm ci && npm start', ANOTHER_MACHINE],
  ['docs/operations.md', 'sh npm ci && npm start', ANOTHER_MACHINE],
  ['docs/deployment.md', 'sh docker build', ANOTHER_MACHINE],
  ['docs/deployment.md', 'yaml images:', 'gateway/test/kubernetes/site.whole.test.ts'],
  ['docs/analyse-data.md', 'python ', 'gateway/test/clients/notebook.whole.test.ts'],
  ['docs/build-an-app.md', 'sh npm ci && npm start', 'gateway/test/clients/sample-app.whole.test.ts'],
  ['docs/build-an-app.md', 'ts ', 'docs/build-an-app.test.ts'],
  ['docs/build-an-app.md', 'json "plugins"', 'gateway/test/clients/type-generators.whole.test.ts'],
  ['docs/examples.md', 'graphql ', 'gateway/demo/examples.whole.test.ts'],
  ['docs/assistants.md', 'json { "mcpServers"', 'gateway/test/mcp/mcp.whole.test.ts'],
  ['docs/assistants.md', 'json {\n  "mcpServers"', 'gateway/test/mcp/mcp.whole.test.ts'],
  ['docs/fhir-operations.md', 'http POST', 'subgraphs/clinical/export/export-parameters.test.ts'],
  ['docs/graphql-cost.md', 'json {\n  "query"', 'gateway/test/explain.test.ts'],
  ['docs/graphql-cost.md', 'json {\n  "extensions"', 'gateway/test/explain.test.ts'],
  ['docs/graphql-cost.md', 'json {\n  "format"', 'gateway/test/trusted-documents.test.ts'],
  ['docs/graphql-schema.md', 'sh npm run schema', 'gateway/test/all-resources.test.ts'],
  ['docs/graphql-schema.md', 'text Scope:', 'gateway/test/field-scopes.test.ts'],
  ['docs/maintenance.md', 'sh node dist/gateway/main.js backup', 'gateway/test/backup.whole.test.ts'],
  ['docs/several-processes.md', 'sh export SEALING_KEY', 'gateway/test/split.whole.test.ts'],
  ['docs/troubleshooting.md', 'sh TENANTS_DIR=…', 'gateway/test/self-test.test.ts'],
  ['docs/own-tenant.md', 'sh ', 'docs/own-tenant.whole.test.ts'],
  ['docs/image-sources.md', 'json {\n  "DicomAet"', 'docs/own-tenant.whole.test.ts'],
  ['docs/check-your-server.md', 'sh chmod 600 token.json', 'conformance/test/command-line.whole.test.ts'],
  ['docs/check-your-server.md', 'sh smart-imaging-conf', 'conformance/test/command-line.whole.test.ts'],
  ['conformance/README.md', 'sh CONFORMANCE_TOKEN=…', 'conformance/test/command-line.whole.test.ts'],
  ['conformance/README.md', 'text ', 'conformance/test/report.test.ts'],
  [
    'k8s/README.md',
    'sh ',
    'needs a cluster; gateway/test/kubernetes/readme.whole.test.ts checks what it names',
  ],
  ['k8s/README.md', 'yaml apiVersion', 'gateway/test/kubernetes/readme.whole.test.ts'],
  ['k8s/README.md', 'yaml components', 'gateway/test/kubernetes/site.whole.test.ts'],
  ['k8s/README.md', 'yaml rules', 'needs a cluster with prometheus-adapter'],
  ['k8s/README.md', 'json ', 'gateway/test/kubernetes/site.whole.test.ts'],
];

/** Tells whether a line of the list above is about this block. */
export const isNamed = ({ page, language, text }: Block, [where, begin]: readonly [string, string, string]) =>
  page === where && `${language} ${text}`.startsWith(begin);

/** Blocks that are run, by their language. */
export const runBlocks = (...languages: string[]): Block[] =>
  blocks.filter(
    (block) => languages.includes(block.language) && !NOT_RUN.some((named) => isNamed(block, named)),
  );
