/** Builds the playground, a page of its own: nothing of it is in the viewer's files. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export default defineConfig({
  root: path('.'),
  // Relative: the same build works under any path prefix of the gateway.
  base: './',
  plugins: [svelte()],
  build: {
    outDir: '../dist/playground',
    emptyOutDir: true,
    target: 'es2023',
    // The editor of code is large.
    chunkSizeWarningLimit: 6000,
    manifest: true,
    rolldownOptions: {
      input: path('playground.html'),
      // Directives of React for servers, in packages.
      checks: { moduleLevelDirective: false },
    },
  },
  worker: { format: 'es' },
});
