import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../gateway/test/setup/shared-data.ts';
import { compileView } from './compile-view.ts';
import { objectsOf } from '../test/view-objects.ts';

/** A file of tests of SQL on FHIR. */
interface TestFile {
  title: string;
  resources: object[];
  tests: {
    title: string;
    tags?: string[];
    view: unknown;
    expect?: object[];
    expectColumns?: string[];
    expectError?: boolean;
  }[];
}

/** Tests of functions that are not required, and of which a decimal is not supported: JSON has lost its zeros. */
const NOT_SUPPORTED = ['decimal lowBoundary', 'decimal highBoundary'];

const sorted = (rows: readonly object[]) =>
  rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();

describeWithSharedData('tests of SQL on FHIR', () => {
  const folder = sharedDataPath('sql-on-fhir');
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as TestFile);
  const all = files.flatMap(({ title, resources, tests }) =>
    tests.map((test) => ({ ...test, name: `${title}: ${test.title}`, resources })),
  );

  it('are all there', () => {
    expect(all.filter(({ tags }) => tags?.includes('shareable'))).toHaveLength(123);
  });

  it.each(all.filter(({ title }) => !NOT_SUPPORTED.includes(title)))('$name', (test) => {
    const made = () => objectsOf(compileView(test.view), test.resources);
    if (test.expectError) return expect(made).toThrow();
    const rows = made();
    expect(sorted(rows)).toEqual(sorted(test.expect!));
    if (test.expectColumns) expect(Object.keys(rows[0]!)).toEqual(test.expectColumns);
  });
});
