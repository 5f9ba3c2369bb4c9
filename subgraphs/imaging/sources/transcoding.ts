import { Fault } from '../../../schema/fault/fault.ts';
import { pixelDescription } from '../pixels/codecs/description.ts';
import type { Parsing } from '../threads/parsing-threads.ts';
import type { PixelPool } from '../threads/pool.ts';
import { InstanceReader } from './stored/instance-reader.ts';
import { notInTransferSyntax } from './not-in-transfer-syntax.ts';
import { withTranscoding } from './stored/transcoded-frames.ts';
import type { EmptyArchive } from './empty-archive.ts';
import type { ImagingSource, InstanceTarget, StoredInstance, Target } from './source.ts';
import { transcodedInstance } from './stored/spooled-instance.ts';

/**
 * Wraps a source to give every transfer syntax that the gateway can produce (DW-5, DW-15). Those that the source
 * refuses are transcoded from its stored objects.
 */
export function transcoding(
  source: ImagingSource,
  {
    pixels,
    parsing,
    emptyArchive,
  }: { pixels: PixelPool; parsing: Parsing; emptyArchive?: EmptyArchive | undefined },
): ImagingSource {
  const makers = { reader: new InstanceReader(parsing), pixels };

  async function* retrieve(
    target: Target,
    transferSyntax: string,
    signal?: AbortSignal,
  ): AsyncGenerator<StoredInstance> {
    if (transferSyntax === '*') return yield* source.retrieve(target, '*', signal);
    for await (const instance of asked(target, transferSyntax, signal)) {
      // Some servers accept another transfer syntax but do not give it.
      const given = instance.transferSyntax === '' || instance.transferSyntax === transferSyntax;
      const made = given ? instance : await transcodedInstance(instance, transferSyntax, makers, signal);
      // A request for one object fails if it cannot be transcoded: it has no pixels, or none that an encoder takes.
      if (!given && target.instanceUid !== undefined && made.transferSyntax !== transferSyntax) {
        made.stream.destroy();
        throw notInTransferSyntax();
      }
      yield made;
    }
  }

  /** Yields objects in the requested transfer syntax, or all as stored when the source refuses before the first. */
  async function* asked(target: Target, transferSyntax: string, signal?: AbortSignal) {
    let begun = false;
    try {
      for await (const instance of source.retrieve(target, transferSyntax, signal)) {
        begun = true;
        yield instance;
      }
    } catch (error) {
      if (begun || !isRefusal(error)) throw error;
      yield* source.retrieve(target, '*', signal);
    }
  }

  return {
    ...(source.indexed && { indexed: source.indexed }),
    search: (query, signal) => source.search(query, signal),
    ...(source.generation && { generation: () => source.generation!() }),
    metadata: (target, signal) => source.metadata(target, signal),
    retrieve,
    ...(source.relay && {
      relay: (target: Target, transferSyntax: string, boundary: string, signal?: AbortSignal) =>
        source.relay!(target, transferSyntax, boundary, signal).catch((error: unknown) => {
          if (transferSyntax !== '*' && isRefusal(error)) return undefined;
          throw error;
        }),
    }),
    async frames(target: InstanceTarget, numbers, signal) {
      const frames = await source.frames(target, numbers, signal);
      const describe = async () => {
        const ask = () => source.metadata(target, signal);
        const [instance] = await (emptyArchive ? emptyArchive.run(ask) : ask());
        if (!instance) return undefined;
        const { json } = instance;
        return pixelDescription(await parsing.threads.run('describeImage', { json }));
      };
      return withTranscoding(frames, describe, pixels, signal);
    },
    bulkdata: (target, path, signal) => source.bulkdata(target, path, signal),
    ...(source.stampsFrames && { stampsFrames: source.stampsFrames }),
    ...(source.version && {
      version: (target: Target, signal?: AbortSignal) => source.version!(target, signal),
    }),
    ...(source.check && { check: (signal?: AbortSignal) => source.check!(signal) }),
    close: () => source.close(),
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof Fault && error.code === 'not_acceptable';
}
