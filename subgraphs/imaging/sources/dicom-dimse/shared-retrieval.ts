import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../../../schema/fault/fault.ts';
import { serverStopping, noSuchObject } from '../../../../schema/fault/refusals.ts';
import { noRoom } from '../../disk/no-room.ts';
import { isOfPatient } from '../../facts/stated-patient.ts';
import type { Target } from '../source.ts';
import { Arrivals } from './arrivals.ts';
import type { Holding, RetrievalCache } from './cache.ts';
import { Changes, whileWanted } from './changes.ts';
import type { StoreRequest, StoreSink } from './wire/messages.ts';
import type { Plan } from './plan.ts';
import type { Refusals } from './refusals.ts';
import { Readers, type Reader } from './readers.ts';
import { isWithin, refusedObject, Spool, type Incoming, type SpooledInstance } from './spool.ts';
import { archiveAway, failure, refusedObjectFault, type RefusedObject } from './wire/status.ts';

/** Milliseconds for which a retrieval without readers continues, because the next request may follow. */
const GRACE = 250;
/** Number of instances that no reader has read yet, when there is no room. */
const AHEAD = 2;
/** Milliseconds for which the archive then waits for readers: less than the timeout of archives. */
const HELD = 5000;

/** A reader was too far behind the others, and its next instances are deleted. */
export class LeftBehind extends Error {}

/** Steps of a retrieval. */
export interface Steps {
  plan(signal: AbortSignal): Promise<Plan>;
  /** Resolves with the number of objects that the archive reports as sent. */
  fetch(plan: Plan, signal: AbortSignal): Promise<number>;
  /** Place for arriving objects. */
  incoming: Incoming;
  /** Records refused objects. */
  refusals: Pick<Refusals, 'add'>;
}

/**
 * One retrieval, shared by all requests for the same target (DW-16). Instances are read while they arrive. It is
 * aborted when it has no readers. As long as there is room, readers may be slow. Without room, the archive waits for
 * the fastest reader, and each instance is deleted when all readers have read it. A later reader then starts another
 * retrieval, and so does one that is far behind a reader that waits for more.
 */
export class Retrieval {
  readonly target: Target;
  readonly #cache: RetrievalCache;
  readonly #incoming: Incoming;
  readonly #refusals: Pick<Refusals, 'add'>;
  readonly #abort = new AbortController();
  readonly #holding: Promise<Holding>;
  readonly #arrivals: Arrivals;
  readonly #readers = new Readers();
  readonly #changes = new Changes();
  /** Number of complete objects. Those that arrived twice count twice. */
  #received = 0;
  #plan: Plan | undefined;
  /** Number of incomplete objects. */
  #unfinished = 0;
  /** The fault for a refused object, which explains a failure better than the archive does. */
  #reason: Fault | undefined;
  #ended = false;
  /** Rejects with the failure. Every reader awaits it. */
  readonly done: Promise<void>;

  /** @param key of the target in the cache */
  constructor(key: string, target: Target, cache: RetrievalCache, steps: Steps) {
    this.target = target;
    this.#cache = cache;
    this.#incoming = steps.incoming;
    this.#refusals = steps.refusals;
    this.#holding = cache.begin().catch((cause: unknown) => {
      throw noRoom(cause);
    });
    this.#arrivals = new Arrivals(cache, this.#holding);
    this.done = this.#run(key, steps);
    this.done.catch(() => undefined);
  }

  /** Accepts the bytes of an arriving object if it was planned. */
  spool(request: StoreRequest): StoreSink {
    if (!this.#plan?.instances.has(request.sopInstanceUid)) {
      this.#refuse('unplanned object', request.sopInstanceUid);
      return refusedObject;
    }
    const spool = new Spool(this.#incoming, request, {
      take: (instance) => this.take(instance),
      failed: (cause) => this.broken(cause),
    });
    this.#unfinished++;
    return {
      write: (fragment) => spool.write(fragment),
      end: () => {
        this.#unfinished--;
        return spool.end();
      },
      abort: () => spool.abort(),
    };
  }

  /** Accepts a complete object. @returns false if it was not requested, or belongs to another patient (DW-26) */
  async take(instance: SpooledInstance): Promise<boolean> {
    const plan = this.#plan;
    if (this.#ended || !plan) return false;
    const { sopInstanceUid } = instance;
    const isOwn = isOfPatient(instance.patient, plan.patient);
    if (!isOwn || !plan.instances.has(sopInstanceUid) || !isWithin(instance, this.target)) {
      this.#refuse(isOwn ? 'unplanned object' : 'object of another patient', sopInstanceUid);
      return false;
    }
    this.#received++;
    if (this.#arrivals.isKnown(instance)) return this.#takeAgain(instance);
    const isThere = await this.#arrivals.add(instance).catch((cause: unknown) => {
      this.broken(cause);
      throw cause;
    });
    if (!isThere) return false;
    this.#changes.notify();
    await this.#heldBack();
    return true;
  }

  /** Accepts an object again, as some archives send it twice. Fails if it differs: it may be of another patient. */
  async #takeAgain(instance: SpooledInstance): Promise<boolean> {
    if (await this.#arrivals.isSame(instance)) return true;
    const reason = 'two objects under one UID';
    this.#refuse(reason, instance.sopInstanceUid);
    this.#abort.abort(refusedObjectFault(reason));
    return false;
  }

  #refuse(reason: RefusedObject, sopInstanceUid: string): void {
    this.#reason ??= refusedObjectFault(reason);
    this.#refusals.add(reason, { studyUid: this.target.studyUid, sopInstanceUid });
  }

  /** Aborts the retrieval when an object cannot be written, and clears the cache to make room for the next. */
  broken(cause: unknown): void {
    if (this.#ended) return;
    this.#cache.clear();
    this.#abort.abort(noRoom(cause));
  }

  /** True if new readers must not join it. */
  get givenUp(): boolean {
    return this.#abort.signal.aborted || this.#arrivals.deleted > 0;
  }

  /** Tells whether a part of the target has arrived and was not deleted. */
  has(target: Target): boolean {
    return this.#arrivals.has(target);
  }

  /**
   * Yields the instances as they arrive. Each file is kept until the next one is requested.
   * @param part yields only instances within it
   * @throws LeftBehind
   */
  async *follow(signal?: AbortSignal, part = this.target): AsyncGenerator<SpooledInstance, void, void> {
    const reader = this.#readers.enter(this.#arrivals.deleted);
    const leave = await this.#entered(reader);
    try {
      for (; ; reader.at++, this.#makeRoom()) {
        if (reader.leftBehind) throw new LeftBehind();
        while (reader.at === this.#arrivals.count && !this.#ended)
          await whileWanted(this.#changes.next, signal);
        const instance = this.#arrivals.at(reader.at);
        if (!instance) return await this.done;
        if (isWithin(instance, part)) yield instance;
      }
    } finally {
      leave();
    }
  }

  cancel(): void {
    this.#abort.abort(serverStopping());
  }

  async #entered(reader: Reader): Promise<() => void> {
    const release = (await this.#holding).read();
    return () => {
      this.#readers.leave(reader);
      release();
      this.#makeRoom();
      if (this.#readers.count > 0 || this.#ended) return;
      // All instances are there, and only the final answer of the archive is missing.
      const isThere = this.#plan && this.#arrivals.count >= this.#plan.count && this.#arrivals.deleted === 0;
      if (isThere && this.#cache.hasRoom) return;
      setTimeout(() => this.#readers.count === 0 && this.#abort.abort(), GRACE).unref();
    };
  }

  async #run(key: string, { plan, fetch }: Steps): Promise<void> {
    const { signal } = this.#abort;
    const holding = await this.#holding;
    try {
      this.#plan = await plan(signal);
      const { count, identity } = this.#plan;
      const sent = await fetch(this.#plan, signal);
      // Two different objects with one UID may be found this late, and must fail the retrieval.
      signal.throwIfAborted();
      if (this.#received === 0 && sent === 0) throw noSuchObject();
      // An archive that sent less than it announced has failed: a part must not pass for the whole (DW-13).
      const missing = count - this.#arrivals.count;
      if (this.#received < sent || missing > 0) throw failure(0xb000, missing);
      this.#end(holding);
      if (this.#arrivals.deleted > 0) holding.discard();
      else await this.#cache.keep(key, { holding, count, identity });
    } catch (error) {
      this.#end(holding);
      holding.discard();
      if (this.#unfinished > 0)
        this.#reason ??= archiveAway(new Error('an object broke off', { cause: error }));
      throw signal.aborted ? error : (this.#reason ?? error);
    } finally {
      this.#changes.notify();
    }
  }

  #end(holding: Holding): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#arrivals.end();
    this.#cache.ended(holding);
  }

  /**
   * Called when a reader moves on. Without room, deletes instances that all have read, and leaves slow readers behind.
   */
  #makeRoom(): void {
    if (this.#ended) return;
    const isFull = !this.#cache.hasRoom;
    if (isFull && !this.#isAhead) this.#readers.leaveBehind();
    if (isFull || this.#arrivals.deleted > 0)
      this.#arrivals.deleteBefore(this.#readers.hindmost).catch((cause: unknown) => this.broken(cause));
    this.#changes.notify();
  }

  /** Makes the archive wait, because it sends the next object only after an answer. */
  async #heldBack(): Promise<void> {
    if (!this.#isTooFast) return;
    const late = sleep(HELD, 'late' as const, { ref: false });
    while (!this.#ended && !this.#abort.signal.aborted && this.#isTooFast) {
      if ((await Promise.race([this.#changes.next, late])) === 'late') return;
    }
  }

  /** True if the archive is ahead of its readers and there is no room, or the retrieval will not be kept anyway. */
  get #isTooFast(): boolean {
    return this.#isAhead && (this.#arrivals.deleted > 0 || !this.#cache.hasRoom);
  }

  /** True if even the fastest reader has several instances to read. */
  get #isAhead(): boolean {
    return this.#arrivals.count - Math.max(this.#arrivals.deleted, this.#readers.foremost) > AHEAD;
  }
}
