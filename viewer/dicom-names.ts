/**
 * Writes the names of DICOM attributes (PS3.6) that the viewer shows, from the tables of dcmjs. Tests and checks of types
 * run it first; the build has it as a plugin.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dictionary } from 'dcmjs/dictionary';
import type { Plugin } from 'vite';

/** The generated file, which is not committed. */
const FILE = fileURLToPath(new URL('src/features/tags/compiled/names.json', import.meta.url));

/**
 * Returns the keywords of all public attributes, by group: `{ "0010": "0010PatientName 0020PatientID" }`. Repeating groups
 * are under their first (`6000`). This form is half as long as a list of tags, also when it is compressed.
 */
export function attributeNames(): Record<string, string> {
  const groups: Record<string, string[]> = {};
  for (const [key, entry] of Object.entries(dictionary)) {
    const [, group, element] =
      /^\(([0-9A-F]{4})(?:-[0-9A-F]{4})?,([0-9A-F]{4})(?:-[0-9A-F]{4})?\)$/.exec(key) ?? [];
    // Private groups have odd numbers (PS3.5 §7.8).
    if (!entry || !group || !element || parseInt(group, 16) % 2 === 1) continue;
    (groups[group] ??= []).push(element + entry.name.replace(/^RETIRED_/, ''));
  }
  return Object.fromEntries(Object.entries(groups).map(([group, all]) => [group, all.sort().join(' ')]));
}

/** Vitest's globalSetup hook. It leaves a file as it is that is right already: watchers would start again. */
export async function setup(): Promise<void> {
  const wanted = JSON.stringify(attributeNames());
  if ((await readFile(FILE, 'utf8').catch(() => '')) === wanted) return;
  await mkdir(dirname(FILE), { recursive: true });
  await writeFile(FILE, wanted);
}

export function dicomNames(): Plugin {
  return { name: 'dicom-names', buildStart: setup };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setup();
