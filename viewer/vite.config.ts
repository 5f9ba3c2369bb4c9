import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { dicomNames } from './dicom-names.ts';
import { engineParts } from './engine-parts.ts';
import { MESSAGES } from './messages.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  root: here,
  // Relative: the same build works under any path prefix of the gateway.
  base: './',
  // Declarations are for the checks of types, and take longer than the build.
  plugins: [
    paraglideVitePlugin({ ...MESSAGES, emitTsDeclarations: false }),
    svelte(),
    engineParts(),
    dicomNames(),
  ],
  build: {
    outDir: '../dist/viewer',
    emptyOutDir: true,
    target: 'es2023',
    chunkSizeWarningLimit: 4000,
    // Which file imports which: `test/size.test.ts` adds up what a page loads.
    manifest: true,
    // The shell in one file: what other parts use too would be files of their own, and cost a round trip.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'shell', tags: ['$initial'] },
            // Two small modules of the chunk of frames that many others share.
            { name: 'shell', test: /viewer\/src\/domain\/(grey\/colour|study)\.ts$/ },
          ],
        },
      },
    },
  },
  // Cornerstone's decoders are ES module workers that load their WASM by import.meta.url.
  worker: { format: 'es', plugins: () => [engineParts()] },
  optimizeDeps: { exclude: ['@cornerstonejs/dicom-image-loader'] },
  server: { proxy: { '^/(demo|open)/': 'http://localhost:4000' } },
});
