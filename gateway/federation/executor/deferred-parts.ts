import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import { GRACE_MILLISECONDS } from '../request/out-of-time.ts';
import type { DeferredPart, Run } from './run.ts';
import { WrittenData } from './written-data.ts';

/** Parts of an answer that are ready at the same time. */
export interface PartsOfAnswer {
  parts: readonly PartOfAnswer[];
  /** Parts within these, which are now known and come later still. */
  announced: readonly AnnouncedPart[];
  hasNext: boolean;
}

export interface AnnouncedPart {
  /** Identifies the part in its answer. */
  id: string;
  label: string | undefined;
  /** Of the object that the part belongs to. */
  path: readonly (string | number)[];
}

/** Errors are written for the caller. */
export interface PartOfAnswer extends AnnouncedPart {
  /** Members of the object; null where something failed that may not be null. */
  data: WrittenData | null;
  errors: readonly GraphQLFormattedError[];
}

/** The parts of an answer that come later. */
export interface LaterParts {
  /** Those that are known with the first part of the answer. */
  announced: readonly AnnouncedPart[];
  parts: AsyncIterable<PartsOfAnswer>;
}

/**
 * Gives the parts of an answer that come later, each as soon as it is ready.
 * @param errorsOf returns the errors of a part for the caller
 * @param signal ends parts that are not ready: with an error after the time limit, without when the caller has left
 */
export function partsOf(
  run: Run,
  errorsOf: (run: Run) => readonly GraphQLFormattedError[],
  signal: AbortSignal,
): LaterParts {
  const ready: Awaited<ReturnType<typeof finished>>[] = [];
  let waiting = 0;
  let wake = (): void => undefined;
  let next = 0;
  const over = aborted(signal);
  // It may fail when nothing is awaited.
  over.catch(() => undefined);
  const announce = (deferred: readonly DeferredPart[]): AnnouncedPart[] =>
    deferred.map((part) => {
      const { label, path } = part;
      const announced = { id: String(next++), label, path };
      waiting++;
      void finished(part, announced, over).then((done) => {
        ready.push(done);
        wake();
      });
      return announced;
    });
  async function* parts(): AsyncGenerator<PartsOfAnswer> {
    while (waiting > 0) {
      if (ready.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const done = ready.splice(0);
      waiting -= done.length;
      const announced = done.flatMap(({ run: part }) => announce(part.deferred));
      yield {
        parts: done.map(({ announced: of, data, run: part }) => ({ ...of, data, errors: errorsOf(part) })),
        announced,
        hasNext: waiting > 0,
      };
    }
  }
  return { announced: announce(run.deferred), parts: parts() };
}

/** Resolves when a part is ready or has failed. @param over rejects when there is no more time for it */
async function finished({ run, text }: DeferredPart, announced: AnnouncedPart, over: Promise<never>) {
  try {
    const members = await Promise.race([text, over]);
    run.budget.requireNotExceeded();
    return { run, announced, data: new WrittenData(members) };
  } catch (error) {
    run.errors.push({ error: error as GraphQLError, service: 'clinical' });
    return { run, announced, data: null };
  }
}

/** Rejects when the caller has left, and some time after the time limit: fields that stop in time become errors in the part. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => {
      const isLate = signal.reason instanceof Fault;
      setTimeout(reject, isLate ? GRACE_MILLISECONDS : 0, signal.reason);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
