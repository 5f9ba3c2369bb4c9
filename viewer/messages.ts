/** Compiles the messages of the viewer. Tests and checks of types run it first; the build has it as a plugin. */
import { fileURLToPath } from 'node:url';
import { compile } from '@inlang/paraglide-js';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Texts are in `src/messages/{language}.json`; what is made of them is not committed. */
export const MESSAGES = {
  project: path('project.inlang'),
  outdir: path('src/messages/compiled'),
  // The page says which language it is: it is switched without a reload.
  strategy: ['globalVariable', 'baseLocale'],
  outputStructure: 'message-modules',
  emitTsDeclarations: true,
  emitReadme: false,
  emitPrettierIgnore: false,
  // Checks read the files while tests compile them again: no file may be absent in between.
  cleanOutdir: false,
} satisfies Parameters<typeof compile>[0];

/** Vitest's globalSetup hook. */
export async function setup(): Promise<void> {
  await compile(MESSAGES);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setup();
