/** The files of a package that are no part of its container: they are in the clear, and name nobody. */
import { m } from '../../messages/compiled/messages.js';
import { getLocale } from '../../messages/compiled/runtime.js';
import type { ZippedFile } from '../../ui/controls/save-zip.ts';
import type { PackageFacts } from './packing.ts';

/** @param script of the page */
export function openingFiles(script: string, { salt, parts, images, missing }: PackageFacts): ZippedFile[] {
  const count = missing.reduce((sum, one) => sum + one.count, 0);
  const lost = count > 0 ? m.packageReadmeMissing({ count }) : m.packageReadmeAll();
  const words = [m.packageReadme({ count: images }), lost, m.packageCaution()].join('\n\n');
  return [
    { name: 'data/viewer.js', input: script },
    { name: 'OPEN-ME.html', input: pageOf(JSON.stringify({ salt, parts })) },
    // As the editors of old systems want it.
    { name: 'README.txt', input: `\uFEFF${words}\n`.replaceAll('\n', '\r\n') },
  ];
}

/** It connects to nowhere: its images are in its own files. */
function pageOf(head: string): string {
  return `<!doctype html>
<html lang="${getLocale()}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="connect-src data: blob:; form-action 'none'">
<link rel="icon" href="data:,">
<title>${escaped(m.packageTitle())}</title>
</head>
<body>
<div id="app"><noscript>${escaped(m.packageNoScript())}</noscript></div>
<p id="unpack" hidden>${escaped(m.packageUnpack())}</p>
<script>var packageHead = ${head};</script>
<script src="data/viewer.js" onerror="document.getElementById('unpack').hidden = false"></script>
</body>
</html>
`;
}

const escaped = (words: string): string =>
  words.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
