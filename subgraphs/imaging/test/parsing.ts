import { afterAll } from 'vitest';
import { OBJECT_ELEMENTS } from '../../../schema/dicom/dicom.ts';
import { ParsingThreads, type Parsing } from '../threads/parsing-threads.ts';

/** Returns parsing threads for the tests of one file, which end after them. */
export function testParsing(objectElements = OBJECT_ELEMENTS): Parsing {
  const threads = new ParsingThreads();
  afterAll(() => threads.close());
  return { threads, objectElements };
}
