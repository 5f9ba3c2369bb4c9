import { constants, setPriority } from 'node:os';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { Fault } from '../../../schema/fault/fault.ts';
import { DamagedFile } from '../dicom/part10/bytes.ts';
import { ownedBuffers } from './buffers.ts';
import type { Answer, TaskCall } from './pool.ts';
import { TASKS } from './tasks.ts';

// Requests have priority over pixels when cores are busy. On Linux this sets the priority of the calling thread, on
// other systems that of the whole process.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

/**
 * Runs one task in a thread of the pool, and transfers its result without a copy. Errors are returned as values,
 * because their classes would be lost between threads.
 */
export async function run({ name, input }: TaskCall): Promise<Answer> {
  try {
    // eslint-disable-next-line no-restricted-syntax -- a task gets its own input: `TaskCall` pairs them
    const answer = { value: await TASKS[name](input as never) };
    const transferred = { [transferableSymbol]: ownedBuffers(answer.value), [valueSymbol]: answer };
    // eslint-disable-next-line no-restricted-syntax -- the types of Piscina name neither what it takes nor what it gives
    return move(transferred as never) as unknown as Answer;
  } catch (error) {
    if (error instanceof DamagedFile) return { damaged: error.message };
    if (error instanceof Fault) {
      const { code, message, details } = error;
      return { fault: { code, message, retryAfter: details.retryAfter } };
    }
    // A call to the operating system failed. The cause is a disk or a share, not the object.
    if (typeof (error as NodeJS.ErrnoException | undefined)?.syscall === 'string')
      return {
        fault: {
          code: 'unavailable',
          message: 'The object cannot be read at the moment; ask again.',
          retryAfter: 5,
        },
      };
    throw error;
  }
}
