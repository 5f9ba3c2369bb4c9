import { Readable } from 'node:stream';
import { UID } from '../../../schema/dicom/dicom.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { StoredInstance } from '../sources/source.ts';
import { warningsOf, type Payload } from '../study/answer.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { closing, instancesFrom, opened } from './opened-instances.ts';
import { writeZip, type ZipEntry } from './zip-writer.ts';

/** Returns the objects of a study, series or instance as a zip; each file is named by its UID (DW-5). */
export async function zip(
  instances: AsyncIterable<StoredInstance>,
  { sourceFaults }: Pick<AuthorizedStudies, 'sourceFaults'>,
): Promise<Payload> {
  const { first, iterator } = await opened(instances);
  const body = writeZip(entriesOf(first, iterator, sourceFaults));
  return {
    headers: { 'content-type': 'application/zip' },
    body: closing(body, iterator, first.value?.stream),
  };
}

async function* entriesOf(
  first: IteratorResult<StoredInstance>,
  iterator: AsyncIterator<StoredInstance>,
  sourceFaults: readonly Fault[],
): AsyncGenerator<ZipEntry> {
  // An unpacked zip has no headers, so it contains the warnings of the answer.
  if (sourceFaults.length > 0)
    yield { name: 'WARNING.txt', body: Readable.from([Buffer.from(note(sourceFaults))]) };
  const names = new Set<string>();
  for await (const { sopInstanceUid = '', stream } of instancesFrom(first, iterator)) {
    // Only a UID becomes a name, and no object replaces another when the zip is unpacked.
    const named = UID.test(sopInstanceUid) && !names.has(sopInstanceUid);
    const name = named ? sopInstanceUid : `object-${names.size + 1}`;
    names.add(name);
    yield { name: `${name}.dcm`, body: stream };
  }
}

function note(sourceFaults: readonly Fault[]): string {
  return ['This may not be all of the study.', ...warningsOf(sourceFaults), ''].join('\r\n');
}
