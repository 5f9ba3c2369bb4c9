import { Fault } from '../../../../schema/fault/fault.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';

/** A part of the software to test with invalid input. */
export interface Target {
  name: string;
  /** Prepares the target, if necessary. */
  open?(): Promise<void>;
  /** Runs one case. Throws unless it ends with an answer or a clear refusal. */
  run(random: Random): Promise<void>;
  close?(): Promise<void>;
}

/** Runs work. Returns its result, or undefined for a refusal with a clear message. Throws any other error. */
export async function orRefused<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return undefined;
  }
}

function isRefusal(error: unknown): boolean {
  if (error instanceof DamagedFile) return error.message.length > 10;
  return error instanceof Fault && error.code !== 'internal' && error.message.length > 10;
}

/** Throws an error with this message when the condition is false. */
export function hold(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
