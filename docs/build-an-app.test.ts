/** The sample app and its page, as texts; gateway/test/clients/sample-app.whole.test.ts builds and opens it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, 'sample-app');
/** The files that a person wrote, without configuration in JSON. */
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /^(index|vite|src\/).*\.(html|css|svelte|ts)$/.test(name) && !name.endsWith('.d.ts'))
  .map((name) => readFileSync(join(folder, name), 'utf8'));

test('the code of build-an-app.md is that of the sample app', () => {
  const page = readFileSync(join(import.meta.dirname, 'build-an-app.md'), 'utf8');
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
  const copied = blocks.filter((code) => !code.includes('CodegenConfig'));
  expect(copied.length).toBeGreaterThan(7);
  expect(copied.filter((code) => !files.some((file) => file.includes(code)))).toEqual([]);
});

test('the sample app has fewer than 250 lines of code', () => {
  const lines = files.flatMap((text) => text.split('\n'));
  const code = lines.filter((line) => !/^\s*(\/\/.*|\/?\*.*)?$/.test(line));
  expect(code.length).toBeGreaterThan(150);
  expect(code.length).toBeLessThan(250);
});

test('the sample app names the versions of the packages with which it is tested', () => {
  const packagesOf = (path: string) => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(path, 'utf8')) as Record<
      string,
      object
    >;
    return { ...dependencies, ...devDependencies };
  };
  const tested = packagesOf(join(import.meta.dirname, '../package.json'));
  expect(tested).toMatchObject(packagesOf(join(folder, 'package.json')));
});
