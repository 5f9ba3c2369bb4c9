import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const read = (file: string) => readFileSync(resolve(import.meta.dirname, '../..', file), 'utf8');
const { dependencies, optionalDependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
  string,
  Record<string, string>
>;

it('NOTICE names every direct dependency', () => {
  const named = new Set(read('NOTICE').split(/[\s,()]+/));
  expect(
    Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }).filter(
      (name) => !named.has(name),
    ),
  ).toEqual([]);
});

it('every version is pinned exactly', () => {
  const versions = Object.values({ ...dependencies, ...optionalDependencies, ...devDependencies });
  expect(versions.filter((version) => !/^(npm:[\w-]+@)?\d+\.\d+\.\d+(-r\.\d+)?$/.test(version))).toEqual([]);
});
