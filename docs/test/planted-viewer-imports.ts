/** Imports of the viewer that break one rule of `.dependency-cruiser.js` each, or none if the rule is empty. */

const imports = (path: string) => `import { a } from '${path}';\nexport const b = a;\n`;

export const VIEWER_IMPORTS: readonly (readonly [rule: string, file: string, text: string])[] = [
  ['viewer-domain-imports-downwards', 'viewer/src/domain/a.ts', imports('../data/source.ts')],
  ['viewer-messages-imports-downwards', 'viewer/src/messages/a.ts', imports('../state/file.ts')],
  ['viewer-data-imports-downwards', 'viewer/src/data/a.ts', imports('../pixels/file.ts')],
  ['viewer-pixels-imports-downwards', 'viewer/src/pixels/a.ts', imports('../engine/port.ts')],
  ['viewer-engine-port-imports-downwards', 'viewer/src/engine/a.ts', imports('../data/source.ts')],
  ['viewer-engine-imports-downwards', 'viewer/src/engine/cornerstone/a.ts', imports('../../state/file.ts')],
  ['viewer-first-image-imports-downwards', 'viewer/src/engine/first/a.ts', imports('../cornerstone/file.ts')],
  ['viewer-state-imports-downwards', 'viewer/src/state/a.ts', imports('../engine/cornerstone/file.ts')],
  ['viewer-commands-imports-downwards', 'viewer/src/commands/a.ts', imports('../ui/file.ts')],
  ['viewer-ui-imports-downwards', 'viewer/src/ui/stage/a.ts', imports('../../data/transport.ts')],
  ['viewer-features-imports-downwards', 'viewer/src/features/cine/a.ts', imports('../measure/file.ts')],
  ['viewer-playground-imports-downwards', 'viewer/src/playground/a.ts', imports('../state/file.ts')],
  [
    'viewer-cornerstone-behind-its-port',
    'viewer/src/ui/b.ts',
    `import { cache } from '@cornerstonejs/core';\nexport const b = cache;\n`,
  ],
  [
    'viewer-first-image-without-engine',
    'viewer/src/engine/first/b.ts',
    `import { cache } from '@cornerstonejs/core';\nexport const b = cache;\n`,
  ],
  [
    'viewer-screens-know-no-transport',
    'viewer/src/ui/c.ts',
    `import { graphql } from 'graphql';\nexport const b = graphql;\n`,
  ],
  ['', 'viewer/src/features/cine/b.ts', imports('../../ui/controls/file.ts')],
  ['', 'viewer/src/engine/cornerstone/b.ts', `export const b = await import('@cornerstonejs/core');\n`],
];
