/** Vitest's setup file: fails a test file in which a server handed out objects that were not asked for. */
import { afterAll, expect } from 'vitest';
import { forget, taken } from './retrieval-checker.ts';

afterAll(async () => {
  const { findings } = await taken();
  forget();
  expect(findings, 'objects that were not asked for').toEqual([]);
});
