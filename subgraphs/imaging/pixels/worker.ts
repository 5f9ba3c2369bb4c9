import { move, transferableSymbol, valueSymbol } from 'piscina';
import { Fault } from '../../../schema/fault.ts';
import { DamagedFile } from '../part10/bytes.ts';
import { ownedBuffers } from './buffers.ts';
import type { Answer, TaskCall } from './pool.ts';
import { TASKS } from './tasks.ts';

/**
 * What each thread of the pool runs: one task at a time, its result handed over without a copy. Errors are told as
 * values, because their classes would not survive the way back.
 */
export async function run({ name, input }: TaskCall): Promise<Answer> {
  try {
    const answer = { value: await TASKS[name](input as never) };
    return move({
      [transferableSymbol]: ownedBuffers(answer.value),
      [valueSymbol]: answer,
    } as never) as unknown as Answer;
  } catch (error) {
    if (error instanceof DamagedFile) return { damaged: error.message };
    if (error instanceof Fault) return { fault: { code: error.code, message: error.message } };
    throw error;
  }
}
