import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { dicomNames } from './dicom-names.ts';
import { engineParts } from './engine-parts.ts';
import { MESSAGES } from './messages.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/** A page that is opened from a file starts workers only from text that it has itself. */
function inlineWorkers(): Plugin {
  const WORKER = /new Worker\(new URL\('(\.[^']+)', import\.meta\.url\), \{ type: 'module' \}\)/g;
  return {
    name: 'inline-workers',
    enforce: 'pre',
    transform(code) {
      const imports: string[] = [];
      const changed = code.replace(WORKER, (_all, path: string) => {
        imports.push(`import InlineWorker${imports.length} from '${path}?worker&inline';`);
        return `new InlineWorker${imports.length - 1}()`;
      });
      return imports.length > 0 ? { code: `${imports.join(' ')}${changed}`, map: null } : null;
    },
  };
}

/** Puts the styles into the script: a package has one file for the page. */
function stylesInScript(): Plugin {
  return {
    name: 'styles-in-script',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const files = Object.values(bundle);
        const styles = files.flatMap((one) => (one.fileName.endsWith('.css') ? [one] : []));
        const css = styles.map((one) => (one.type === 'asset' ? String(one.source) : '')).join('\n');
        for (const { fileName } of styles) delete bundle[fileName];
        const adds = `document.head.append(Object.assign(document.createElement('style'),{textContent:${JSON.stringify(css)}}));`;
        for (const one of files) if (one.type === 'chunk') one.code = adds + one.code;
      },
    },
  };
}

/** Builds the page of take-along packages: the whole viewer as one classic script, with its workers and decoders in it. */
export default defineConfig({
  root: here,
  base: './',
  plugins: [
    inlineWorkers(),
    paraglideVitePlugin({ ...MESSAGES, emitTsDeclarations: false }),
    svelte(),
    engineParts(),
    dicomNames(),
    stylesInScript(),
  ],
  build: {
    outDir: '../dist/viewer/package',
    emptyOutDir: true,
    target: 'es2023',
    chunkSizeWarningLimit: 10_000,
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    modulePreload: false,
    rolldownOptions: {
      input: fileURLToPath(new URL('src/package/main.ts', import.meta.url)),
      output: { format: 'iife', entryFileNames: 'viewer.js', codeSplitting: false },
      // A classic script does not know its address; as a base of parts that are all inside, any will do.
      transform: { define: { 'import.meta.url': 'location.href', 'import.meta': '{}' } },
    },
  },
  worker: { format: 'iife', plugins: () => [engineParts()] },
});
