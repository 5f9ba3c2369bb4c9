/** Builds the playground, a page of its own: nothing of it is in the viewer's files. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Leaves out the fonts that GraphiQL brings in its style sheet, half a megabyte: the page has those of the system. */
function withoutFonts(): Plugin {
  return {
    name: 'without-fonts',
    enforce: 'pre',
    transform: (code, id) =>
      id.includes('/graphiql/dist/style.css') ? code.replaceAll(/@font-face\s*{[^}]*}/g, '') : null,
  };
}

/** Chunks without which there is no editor. */
const EDITOR = /^(query-editor|monaco-editor)$/;

/** The editor is asked for with the page, not after it: its parts do not wait for each other. */
function preloadEditor(): Plugin {
  return {
    name: 'preload-editor',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle = {} }) {
        const needed = new Set<string>();
        const need = (fileName: string) => {
          const file = bundle[fileName];
          if (file?.type !== 'chunk' || file.isEntry || needed.has(fileName)) return;
          needed.add(fileName);
          file.imports.forEach(need);
        };
        for (const { fileName, name = '' } of Object.values(bundle)) if (EDITOR.test(name)) need(fileName);
        return [...needed].map((fileName) => ({
          tag: 'link',
          attrs: { rel: 'modulepreload', crossorigin: true, href: `./${fileName}` },
          injectTo: 'head' as const,
        }));
      },
    },
  };
}

export default defineConfig({
  root: path('.'),
  // Relative: the same build works under any path prefix of the gateway.
  base: './',
  plugins: [svelte(), withoutFonts(), preloadEditor()],
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
