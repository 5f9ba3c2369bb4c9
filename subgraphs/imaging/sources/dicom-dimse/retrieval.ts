import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../../../schema/fault/fault.ts';
import { noSuchObject } from '../../../../schema/fault/not-found.ts';
import { noRoom } from '../../disk/no-room.ts';
import { isOfPatient } from '../../facts/of-patients.ts';
import type { Target } from '../source.ts';
import type { Holding, RetrievalCache } from './cache.ts';
import type { StoreRequest, StoreSink } from './wire/messages.ts';
import type { Plan } from './plan.ts';
import type { Refusals } from './refusals.ts';
import { sameBytes } from './same-bytes.ts';
import { isWithin, moved, refusedObject, Spool, type Incoming, type SpooledInstance } from './spool.ts';
import { archiveAway, failure, refusedObjectFault, type RefusedObject } from './wire/status.ts';

/** Milliseconds for which a retrieval that nobody waits for goes on: the next request for it may be on its way. */
const GRACE = 250;
/** Instances that may lie unread by all where there is no room for all of them. */
const AHEAD = 2;
/** Instances by which one reader may then be behind another. */
const BEHIND = 16;
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

/** One who reads a retrieval. */
interface Reader {
  /** Which of the instances that arrived it is at. */
  at: number;
  leftBehind: boolean;
}

/**
 * One retrieval, shared by all who ask for the same (DW-16): instances are read while they arrive. It is given up when
 * nobody waits for it any more. Where there is no room to keep it, each instance is deleted once all have read it, and
 * who comes later begins another. The archive then waits for the fastest reader alone; one that is far behind it is left
 * behind.
 */
export class Retrieval {
  readonly target: Target;
  readonly #cache: RetrievalCache;
  readonly #incoming: Incoming;
  readonly #refusals: Refusals;
  readonly #abort = new AbortController();
  readonly #holding: Promise<Holding>;
  readonly #arrived: SpooledInstance[] = [];
  /** Files of the instances that have come, by SOP Instance UID. */
  readonly #taken = new Map<string, Promise<SpooledInstance>>();
  readonly #readers = new Set<Reader>();
  #received = 0;
  #plan: Plan | undefined;
  /** Objects of which not every byte has come. */
  #unfinished = 0;
  /** Explains a failure better than the archive does: we refused some of what it sent. */
  #reason: Fault | undefined;
  #passing = false;
  /** How many of the instances that arrived are deleted again. */
  #deleted = 0;
  #wake: () => void = () => undefined;
  #next: Promise<void>;
  /** Rejects with the failure; awaited by each who follows. */
  readonly done: Promise<void>;
  #ended = false;

  /** @param key names it in the cache */
  constructor(key: string, target: Target, cache: RetrievalCache, steps: Steps) {
    this.target = target;
    this.#cache = cache;
    this.#incoming = steps.incoming;
    this.#refusals = steps.refusals;
    this.#holding = cache.begin().catch((cause: unknown) => {
      throw noRoom(cause);
    });
    this.#next = this.#nextChange();
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
    const known = this.#taken.get(sopInstanceUid);
    if (known) return this.#takeAgain(instance, await known);
    const keeping = this.#keep(instance, `${this.#taken.size + 1}.dcm`);
    this.#taken.set(sopInstanceUid, keeping);
    keeping.catch((cause: unknown) => this.broken(cause));
    const { instances } = await this.#holding;
    const kept = await keeping;
    // Its directory is gone, and nothing of it counted any more.
    if (this.#ended) return false;
    instances.push(kept);
    this.#arrived.push(kept);
    if (!this.#cache.grow(kept.size)) this.#passing = true;
    this.#notify();
    if (this.#passing) await this.#heldBack();
    return true;
  }

  async #keep(instance: SpooledInstance, name: string): Promise<SpooledInstance> {
    const { directory } = await this.#holding;
    return moved(instance, directory, name);
  }

  /** Some send an object twice. Which of two different ones under one UID is the patient's, nobody can say. */
  async #takeAgain(instance: SpooledInstance, kept: SpooledInstance): Promise<boolean> {
    if (await sameBytes(instance.path, kept.path)) return true;
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
    return this.#abort.signal.aborted || this.#deleted > 0;
  }

  /** Whether a part of the target has arrived and is there. */
  has(target: Target): boolean {
    return this.#arrived.findIndex((instance) => isWithin(instance, target)) >= this.#deleted;
  }

  /**
   * The instances, each as soon as it is there; it stays until the next one is asked for.
   * @param part only those within it
   * @throws LeftBehind
   */
  async *follow(signal?: AbortSignal, part = this.target): AsyncGenerator<SpooledInstance, void, void> {
    const reader: Reader = { at: this.#deleted, leftBehind: false };
    const leave = await this.#enter(reader);
    try {
      for (; ; reader.at++, this.#clear()) {
        if (reader.leftBehind) throw new LeftBehind();
        while (reader.at === this.#arrived.length && !this.#ended) await this.#waiting(this.#next, signal);
        const instance = this.#arrived[reader.at];
        if (!instance) return await this.done;
        if (isWithin(instance, part)) yield instance;
      }
    } finally {
      leave();
    }
  }

  cancel(): void {
    this.#abort.abort(new Fault('unavailable', 'The server is stopping.', { retryAfter: 5 }));
  }

  async #enter(reader: Reader): Promise<() => void> {
    this.#readers.add(reader);
    const release = (await this.#holding).read();
    return () => {
      this.#readers.delete(reader);
      release();
      this.#clear();
      if (this.#readers.size > 0 || this.#ended) return;
      // Only the archive's last word is missing then.
      if (this.#plan && this.#arrived.length >= this.#plan.count && !this.#passing) return;
      setTimeout(() => this.#readers.size === 0 && this.#abort.abort(), GRACE).unref();
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
      if (this.#received < sent || this.#arrived.length < count)
        throw failure(0xb000, count - this.#arrived.length);
      this.#ended = true;
      if (this.#passing) holding.discard();
      else await this.#cache.keep(key, { holding, count, identity });
    } catch (error) {
      this.#ended = true;
      holding.discard();
      if (this.#unfinished > 0)
        this.#reason ??= archiveAway(new Error('an object broke off', { cause: error }));
      throw signal.aborted ? error : (this.#reason ?? error);
    } finally {
      this.#cache.ended(holding);
      this.#notify();
    }
  }

  /** Deletes what all have read, where there is no room for it. */
  #clear(): void {
    if (!this.#passing || this.#ended || this.#readers.size === 0) return;
    const foremost = this.#foremost;
    for (const reader of this.#readers) {
      reader.leftBehind = foremost - reader.at > BEHIND;
      if (reader.leftBehind) this.#readers.delete(reader);
    }
    const read = Math.min(...[...this.#readers].map(({ at }) => at));
    for (; this.#deleted < read; this.#deleted++)
      this.#remove(this.#arrived[this.#deleted]!).catch((cause: unknown) => this.broken(cause));
    this.#notify();
  }

  /** Which instance the fastest reader is at. */
  get #foremost(): number {
    return Math.max(this.#deleted, ...[...this.#readers].map(({ at }) => at));
  }

  async #remove(instance: SpooledInstance): Promise<void> {
    const { instances } = await this.#holding;
    if (this.#ended) return;
    instances.splice(instances.indexOf(instance), 1);
    this.#cache.grow(-instance.size);
    await rm(instance.path, { force: true });
  }

  /** Lets the archive wait while too much lies unread: it sends on when it has its answer. */
  async #heldBack(): Promise<void> {
    const late = sleep(HELD, 'late' as const, { ref: false });
    while (!this.#ended && !this.#abort.signal.aborted && this.#arrived.length - this.#foremost > AHEAD) {
      if ((await Promise.race([this.#next, late])) === 'late') return;
    }
  }

  async #waiting<T>(what: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (!signal) return what;
    signal.throwIfAborted();
    let leave: () => void = () => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([what, left]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #notify(): void {
    this.#wake();
    this.#next = this.#nextChange();
  }
}
