/** Every frame's state and bytes, and the only requests for frames. */
import type { FrameBytes, ImageSource } from '../data/source.ts';
import { Trouble } from '../data/trouble.ts';
import type { Stack, StackFrame } from '../domain/series/stacks.ts';
import type { FrameId, ImageLocation } from '../domain/study.ts';
import { isFrameLength } from './frame-length.ts';
import { nextSteps, planOf, type Aim, type Plan } from './queue.ts';
import { ServerGate, type Clock } from './server-gate.ts';

export type FrameState =
  | { at: 'absent' | 'loading' | 'ready' }
  /** It will be loaded. `waits`: its server cannot answer now; `until` in milliseconds of the clock. */
  | { at: 'queued'; waits?: { trouble: Trouble; until: number } }
  | { at: 'failed'; trouble: Trouble };

export interface Counts {
  ready: number;
  failed: number;
  all: number;
}

export interface FrameStoreOptions {
  /** The most bytes that are kept; what is farthest from what is wanted goes first. */
  maxBytes?: number;
  /** The most requests under way at the same time. */
  maxRequests?: number;
  clock?: Clock;
  /** Calls back when the browser is on the network again. @returns a function that ends it */
  online?: (listener: () => void) => () => void;
}

interface Entry {
  frame: StackFrame;
  at: ImageLocation;
  /** So many have added it. */
  users: number;
  data?: FrameBytes;
  trouble?: Trouble;
  /** Its request is under way. */
  request?: AbortController;
  /** Its request tries a server that was closed. */
  probe?: boolean;
}

export class FrameStore {
  #source: ImageSource;
  #maxBytes: number;
  #maxRequests: number;
  #clock: Clock;
  #entries = new Map<FrameId, Entry>();
  #counted = new WeakMap<Stack, { version: number; counts: Counts }>();
  #version = 0;
  #gates = new Map<string, ServerGate>();
  #aims = new Map<object, Aim & { stack: Stack }>();
  #plan: Plan = { order: [], wanted: 0 };
  #planned = new Set<FrameId>();
  #loading = new Set<FrameId>();
  #bytes = 0;
  #listeners = new Set<() => void>();
  #notifying = false;
  #closed = false;
  #offOnline: () => void;

  constructor(source: ImageSource, options: FrameStoreOptions = {}) {
    this.#source = source;
    this.#maxBytes = options.maxBytes ?? 192 * 1024 * 1024;
    this.#maxRequests = options.maxRequests ?? 6;
    this.#clock = options.clock ?? systemClock;
    this.#offOnline = (options.online ?? browserOnline)(() => {
      for (const gate of this.#gates.values()) if (gate.closed?.trouble.kind === 'offline') gate.tryNow();
    });
  }

  /** Bytes that are kept now. */
  get bytesKept(): number {
    return this.#bytes;
  }

  /**
   * Makes a stack known: its frames can be asked for then. Nothing is loaded before a view aims at it.
   * @returns a function that forgets it, with its bytes, when all who have added it call theirs
   */
  add(stack: Stack, at: ImageLocation): () => void {
    for (const frame of stack.frames) {
      const known = this.#entries.get(frame.id);
      if (known) known.users++;
      else this.#entries.set(frame.id, { frame, at, users: 1 });
    }
    let added = true;
    return () => {
      if (added) this.#forget(stack);
      added = false;
    };
  }

  state(id: FrameId): FrameState {
    const entry = this.#entries.get(id);
    if (!entry) return { at: 'absent' };
    if (entry.data) return { at: 'ready' };
    if (entry.trouble) return { at: 'failed', trouble: entry.trouble };
    if (entry.request) return { at: 'loading' };
    if (!this.#planned.has(id)) return { at: 'absent' };
    const waits = this.#gate(entry.at).closed;
    return waits ? { at: 'queued', waits } : { at: 'queued' };
  }

  /** Returns the frame's bytes; undefined unless it is ready. */
  bytes(id: FrameId): FrameBytes | undefined {
    return this.#entries.get(id)?.data;
  }

  /** Loads a value that metadata give by reference, such as a palette. */
  bulk(url: string): Promise<Uint8Array> {
    return this.#source.bulk(url, new AbortController().signal);
  }

  /** Returns how many frames of a stack are there. */
  counts(stack: Stack): Counts {
    const known = this.#counted.get(stack);
    if (known?.version === this.#version) return known.counts;
    const counts = { ready: 0, failed: 0, all: stack.frames.length };
    for (const { id } of stack.frames) {
      const entry = this.#entries.get(id);
      if (entry?.data) counts.ready++;
      else if (entry?.trouble) counts.failed++;
    }
    this.#counted.set(stack, { version: this.#version, counts });
    return counts;
  }

  /**
   * Says what a view wants; loading follows it. The direction of reading ahead is that of its last step.
   * @param view who wants it
   * @param to undefined when the view closes; alone: true if nothing is read ahead yet
   */
  aim(view: object, to: { stack: Stack; index: number; alone?: boolean } | undefined): void {
    const before = this.#aims.get(view);
    if (!to) this.#aims.delete(view);
    else {
      const isSame = before?.stack === to.stack;
      const step = isSame ? Math.sign(to.index - before.index) : 1;
      const direction = (step || before?.direction || 1) as 1 | -1;
      const frames = isSame ? before.frames : to.stack.frames.map(({ id }) => id);
      this.#aims.set(view, { ...to, frames, direction });
    }
    this.#replan();
  }

  /** Marks a frame that its decoder refuses; its bytes are dropped. */
  refuse(id: FrameId, trouble: Trouble): void {
    const entry = this.#entries.get(id);
    if (!entry || entry.trouble) return;
    this.#drop(entry);
    entry.trouble = trouble;
    this.#changed();
  }

  /** Asks again for a frame that has failed or waits, at once; also ends the wait of its server. */
  retry(id: FrameId): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.trouble = undefined;
    this.#gate(entry.at).tryNow();
  }

  /** Calls back after changes of states, once for all that happen in one turn. @returns a function that ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends all requests and forgets everything. */
  close(): void {
    this.#closed = true;
    this.#offOnline();
    for (const gate of this.#gates.values()) gate.close();
    for (const id of [...this.#loading]) this.#cancel(id);
    this.#entries.clear();
    this.#aims.clear();
    this.#listeners.clear();
    this.#bytes = 0;
  }

  #forget(stack: Stack): void {
    for (const { id } of stack.frames) {
      const entry = this.#entries.get(id);
      if (!entry || --entry.users > 0) continue;
      this.#cancel(id);
      this.#drop(entry);
      this.#entries.delete(id);
    }
    this.#replan();
  }

  #replan(): void {
    const bytesOf = (id: FrameId) => {
      const entry = this.#entries.get(id);
      return entry?.data?.bytes.length ?? entry?.frame.bytes ?? 0;
    };
    this.#plan = planOf([...this.#aims.values()], bytesOf, this.#maxBytes);
    this.#planned = new Set(this.#plan.order);
    this.#advance();
  }

  /** Begins and ends requests as the plan says. */
  #advance(): void {
    if (this.#closed) return;
    const missing = (id: FrameId, wanted: boolean) => {
      const entry = this.#entries.get(id);
      return !!entry && !entry.data && !entry.trouble && this.#gate(entry.at).mayAsk(wanted);
    };
    const under = { loading: this.#loading, limit: this.#maxRequests };
    const { start, cancel } = nextSteps(this.#plan, missing, under);
    for (const id of cancel) this.#cancel(id);
    // Asked once more for each: a server that was busy gets one request, not all.
    const wanted = new Set(this.#plan.order.slice(0, this.#plan.wanted));
    for (const id of start) if (missing(id, wanted.has(id))) void this.#load(this.#entries.get(id)!);
    this.#changed();
  }

  async #load(entry: Entry): Promise<void> {
    const { frame, at } = entry;
    const gate = this.#gate(at);
    const request = new AbortController();
    entry.request = request;
    this.#loading.add(frame.id);
    entry.probe = gate.ask();
    try {
      const data = await this.#source.frame(at, frame.name, request.signal);
      if (request.signal.aborted) return;
      if (!isFrameLength(data, frame))
        throw new Trouble('damaged', `${data.bytes.length} bytes, not ${frame.bytes}`);
      gate.answered(entry.probe);
      this.#keep(entry, data);
    } catch (error) {
      if (request.signal.aborted) return;
      const trouble =
        error instanceof Trouble ? error : new Trouble('server', String(error), { cause: error });
      if (!gate.failed(trouble, entry.probe)) entry.trouble = trouble;
    }
    entry.request = undefined;
    this.#loading.delete(frame.id);
    this.#advance();
  }

  #cancel(id: FrameId): void {
    const entry = this.#entries.get(id);
    if (!entry?.request) return;
    this.#loading.delete(id);
    const { request } = entry;
    entry.request = undefined;
    request.abort();
    this.#gate(entry.at).cancelled(entry.probe ?? false);
  }

  #keep(entry: Entry, data: FrameBytes): void {
    entry.data = data;
    this.#bytes += data.bytes.length;
    if (this.#bytes > this.#maxBytes) this.#makeRoom();
  }

  #drop(entry: Entry): void {
    if (!entry.data) return;
    this.#bytes -= entry.data.bytes.length;
    entry.data = undefined;
  }

  /** Drops what is not planned, then what is the last of the plan, which ends there: it would be loaded again. */
  #makeRoom(): void {
    for (const [id, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) return;
      if (!this.#planned.has(id)) this.#drop(entry);
    }
    const { order, wanted } = this.#plan;
    while (this.#bytes > this.#maxBytes && order.length > wanted) {
      const id = order.pop()!;
      this.#planned.delete(id);
      const entry = this.#entries.get(id);
      if (entry) this.#drop(entry);
    }
  }

  #gate(at: ImageLocation): ServerGate {
    const server = serverOf(at);
    const gate = this.#gates.get(server) ?? new ServerGate(this.#clock, () => this.#advance());
    this.#gates.set(server, gate);
    return gate;
  }

  #changed(): void {
    this.#version++;
    if (this.#notifying) return;
    this.#notifying = true;
    queueMicrotask(() => {
      this.#notifying = false;
      for (const listener of this.#listeners) listener();
    });
  }
}

/** Requests to the same origin go to the same server. */
function serverOf({ dicomweb }: ImageLocation): string {
  return URL.canParse(dicomweb) ? new URL(dicomweb).origin : '';
}

const systemClock: Clock = {
  now: () => Date.now(),
  after(delay, run) {
    const timer = setTimeout(run, delay);
    return () => clearTimeout(timer);
  },
};

function browserOnline(listener: () => void): () => void {
  globalThis.addEventListener?.('online', listener);
  return () => globalThis.removeEventListener?.('online', listener);
}
