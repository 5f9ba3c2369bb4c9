import { constants, setPriority } from 'node:os';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { Fault } from '../../../schema/fault/fault.ts';
import { DamagedFile } from '../dicom/part10/bytes.ts';
import { ownedBuffers } from './buffers.ts';
import type { Answer, TaskCall } from './pool.ts';
import { TASKS } from './tasks.ts';

// Where there is no core for all, requests go before pixels. On Linux this is of the calling thread alone, elsewhere of
// the whole process.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

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
    if (error instanceof Fault) {
      const { code, message, details } = error;
      return { fault: { code, message, retryAfter: details.retryAfter } };
    }
    // A call to the operating system: a disk or a share that fails is no fault of the object.
    if (typeof (error as NodeJS.ErrnoException | undefined)?.syscall === 'string')
      return { fault: { code: 'unavailable', message: 'The object cannot be read now.', retryAfter: 5 } };
    throw error;
  }
}
