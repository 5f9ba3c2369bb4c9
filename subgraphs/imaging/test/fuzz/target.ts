import { Fault } from '../../../../schema/fault/fault.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { Random } from './random.ts';

/** Something that is fed bad input. */
export interface Target {
  name: string;
  /** Where it needs something to stand first. */
  open?(): Promise<void>;
  /** One case. Throws where anything but an answer or a clear refusal comes out. */
  run(random: Random): Promise<void>;
  close?(): Promise<void>;
}

/** What `work` gives; undefined for a refusal in clear words. Whatever else it throws is a finding. */
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

/** @throws with these words where the condition does not hold */
export function hold(condition: boolean, words: string): asserts condition {
  if (!condition) throw new Error(words);
}
