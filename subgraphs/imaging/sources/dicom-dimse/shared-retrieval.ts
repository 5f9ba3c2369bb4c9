import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../../../schema/fault/fault.ts';
import { serverStopping } from '../../../../schema/fault/refusals.ts';
import { noSuchObject } from '../../../../schema/fault/refusals.ts';
import { noRoom } from '../../disk/no-room.ts';
import { isOfPatient } from '../../facts/of-patients.ts';
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

/** Milliseconds for which a retrieval that nobody waits for goes on: the next request for it may be on its way. */
const GRACE = 250;
/** Instances that may lie unread by all where there is no room. */
const AHEAD = 2;
/** Milliseconds for which the archive is then let wait for its readers: less than it takes archives to give up. */
const HELD = 5000;

/** A reader was too far behind the others: what it has not read yet is gone. */
export class LeftBehind extends Error {}

/** How a retrieval is done. */
export interface Steps {
  plan(signal: AbortSignal): Promise<Plan>;
  /** Resolves with the number of objects that the archive says it sent. */
  fetch(plan: Plan, signal: AbortSignal): Promise<number>;
  /** Where what arrives is written first. */
  incoming: Incoming;
  /** Told of objects that are not taken. */
  refusals: Refusals;
}

/**
 * One retrieval, shared by all who ask for the same (DW-16): instances are read while they arrive. It is given up when
 * nobody waits for it any more. As long as there is room every reader takes its time. Where there is none, the archive waits
 * for the fastest reader, and each instance is deleted once all have read it: who comes later begins another retrieval, and
 * so does one that is far behind a reader for which there is nothing left.
 */
export class Retrieval {
  readonly target: Target;
  readonly #cache: RetrievalCache;
  readonly #incoming: Incoming;
  readonly #refusals: Refusals;
  readonly #abort = new AbortController();
  readonly #holding: Promise<Holding>;
  readonly #arrivals: Arrivals;
  readonly #readers = new Readers();
  readonly #changes = new Changes();
  /** Objects of which every byte has come, those that came twice counted twice. */
  #received = 0;
  #plan: Plan | undefined;
  /** Objects of which not every byte has come. */
  #unfinished = 0;
  /** Explains a failure better than the archive does: we refused some of what it sent. */
  #reason: Fault | undefined;
  #ended = false;
  /** Rejects with the failure; awaited by each who follows. */
  readonly done: Promise<void>;

  /** @param key names it in the cache */
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

  /** Takes the bytes of an object that arrives, where it is one of those that were planned. */
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

  /** @returns false for an object that is not part of what was asked for, or not the patient's (DW-26) */
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

  /** Some send an object twice. Which of two different ones under one UID is the patient's, nobody can say. */
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

  /** What arrives cannot be written: all ends, and what is kept of others makes room for the next. */
  broken(cause: unknown): void {
    if (this.#ended) return;
    this.#cache.clear();
    this.#abort.abort(noRoom(cause));
  }

  /** Whether nobody should join it any more. */
  get givenUp(): boolean {
    return this.#abort.signal.aborted || this.#arrivals.deleted > 0;
  }

  /** Whether a part of the target has arrived and is there. */
  has(target: Target): boolean {
    return this.#arrivals.has(target);
  }

  /**
   * The instances, each as soon as it is there; it stays until the next one is asked for.
   * @param part only those within it
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
      // Only the archive's last word is missing then.
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
      // Whoever is told so late that two objects differ is told before the end.
      signal.throwIfAborted();
      if (this.#received === 0 && sent === 0) throw noSuchObject();
      // Success is not believed of an archive that sent less than it said: a part would pass for the whole (DW-13).
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

  /** A reader has gone on: where there is no room, what all have read is deleted, and slow ones keep it no longer. */
  #makeRoom(): void {
    if (this.#ended) return;
    const isFull = !this.#cache.hasRoom;
    if (isFull && !this.#isAhead) this.#readers.leaveBehind();
    if (isFull || this.#arrivals.deleted > 0)
      this.#arrivals.deleteBefore(this.#readers.hindmost).catch((cause: unknown) => this.broken(cause));
    this.#changes.notify();
  }

  /** Lets the archive wait: it sends on when it has its answer. */
  async #heldBack(): Promise<void> {
    if (!this.#isTooFast) return;
    const late = sleep(HELD, 'late' as const, { ref: false });
    while (!this.#ended && !this.#abort.signal.aborted && this.#isTooFast) {
      if ((await Promise.race([this.#changes.next, late])) === 'late') return;
    }
  }

  /** Whether the archive sends what has no room before it is read. What cannot be kept takes no more of it than it must. */
  get #isTooFast(): boolean {
    return this.#isAhead && (this.#arrivals.deleted > 0 || !this.#cache.hasRoom);
  }

  /** Whether the fastest reader has more than a little to read. */
  get #isAhead(): boolean {
    return this.#arrivals.count - Math.max(this.#arrivals.deleted, this.#readers.foremost) > AHEAD;
  }
}
