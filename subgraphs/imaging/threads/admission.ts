import { Fault } from '../../../schema/fault/fault.ts';
import { Lane } from './lane.ts';

const MIB = 1024 * 1024;

/** Bytes of the largest light task. */
const LIGHT_TASK = 32 * MIB;
/** Bytes of all running light tasks, and of all running heavy ones. A single task may not take more. */
const LIGHT_BYTES = 64 * MIB;
export const HEAVY_BYTES = 312 * MIB;
/** Bytes of input that waiting tasks may hold. */
const WAITING_BYTES = 64 * MIB;

/** A task that may run. */
export interface Admitted {
  heavy: boolean;
  /** Reports that the task has ended. */
  release(): void;
}

/**
 * Decides which tasks run at the same time, by the bytes that they announce (DW-24). Light and heavy tasks have
 * separate queues, each in the order of requests. Each kind has a thread and memory that the other cannot take, so that
 * neither keeps the other waiting forever.
 */
export class Admission {
  readonly #light: Lane;
  readonly #heavy: Lane;

  /**
   * @param threads tasks that may run at the same time, at least one of each kind
   * @param queue tasks of each kind that may wait
   */
  constructor(threads: number, queue: number) {
    const most = { queue, held: WAITING_BYTES };
    const heavy: Lane = new Lane({
      ...most,
      bytes: HEAVY_BYTES,
      open: () => heavy.running < Math.max(1, threads - 1),
    });
    const light: Lane = new Lane({
      ...most,
      bytes: LIGHT_BYTES,
      open: () => light.running < Math.max(1, threads - heavy.running),
    });
    this.#heavy = heavy;
    this.#light = light;
  }

  /**
   * Waits until there is room for the task.
   * @param weight bytes that it takes at its peak
   * @param held bytes of its input that are in memory while it waits
   * @throws Fault `too_large` for a task that is larger than the limit, `unavailable` with `retryAfter` when too many
   * wait; the reason of the signal when it aborts first
   */
  async take(weight: number, held: number, signal?: AbortSignal): Promise<Admitted> {
    const heavy = weight > LIGHT_TASK;
    const lane = heavy ? this.#heavy : this.#light;
    if (weight > HEAVY_BYTES) throw tooLarge();
    await lane.enter(weight, signal, held);
    const release = (): void => {
      lane.leave(weight);
      // Light tasks may use a thread that a heavy one leaves.
      this.#light.startWaiting();
    };
    return { heavy, release };
  }

  /** Refuses all waiting tasks. */
  close(reason: Error): void {
    this.#heavy.close(reason);
    this.#light.close(reason);
  }
}

function tooLarge(): Fault {
  return new Fault(
    'too_large',
    'The image is too large to be decoded here. Retrieve it as it is stored, with transfer-syntax=*.',
  );
}
