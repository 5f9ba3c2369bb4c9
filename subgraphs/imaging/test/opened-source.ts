import type { OpenedSource } from '../sources/open.ts';
import type { ImagingSource } from '../sources/source.ts';
import { InstanceReader } from '../sources/stored/instance-reader.ts';
import { framesAs, objectsAs, relayAs } from '../sources/transcoding.ts';
import type { Parsing } from '../threads/parsing-threads.ts';
import type { PixelPool } from '../threads/pool.ts';

/** Returns a source that transcodes, as studies read it, for tests without callers. */
export function openedSource(
  source: ImagingSource,
  { pixels, parsing }: { pixels: PixelPool; parsing: Parsing },
): ImagingSource {
  const opened: OpenedSource = {
    source,
    emptyArchive: undefined,
    reader: new InstanceReader(parsing),
    pixels,
    threads: parsing.threads,
  };
  return {
    search: (query, signal) => source.search(query, signal),
    metadata: (target, signal) => source.metadata(target, signal),
    retrieve: (target, transferSyntax, signal) => objectsAs(opened, target, { transferSyntax, signal }),
    relay: (target, transferSyntax, boundary, signal) =>
      relayAs(source, target, { transferSyntax, boundary, signal }),
    frames: (target, numbers, signal) => framesAs(opened, target, { numbers, signal }),
    bulkdata: (target, path, signal) => source.bulkdata(target, path, signal),
    check: async (signal) => source.check?.(signal),
    close: () => source.close(),
  };
}
