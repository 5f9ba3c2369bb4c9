import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, type Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Fault } from '../../../schema/fault/fault.ts';
import { threadOptions } from '../../../schema/process/thread-limits.ts';
import { threadModule } from '../../../schema/process/thread-module.ts';
import { faultOf, SENTENCES, type Finding } from './finding.ts';
import { FRAME, frame, FrameReader, type EndFrame } from './frames.ts';
import type { ProcessSettings, SqlHead, SqlQuestion } from './query.ts';

const WORKER = threadModule('worker', import.meta.url);
/** Milliseconds in which an interrupted engine must have stopped. */
const STOPPED_AFTER = 1_000;
/** Megabytes of JavaScript objects. Rows are on their way, not kept. */
const HEAP = 256;

/** The end of an answer. */
export interface SqlEnd {
  /** Rows that were given. */
  rows: number;
  /** The reason why others are missing. */
  fault?: Fault;
}

/** An answer on its way. */
interface Answer {
  /** Resolves with the first rows. Rejects with a fault. */
  began: Promise<{ head: SqlHead; body: Readable }>;
  /** Resolves when the process has done with the question. */
  ended: Promise<SqlEnd>;
}

/** A question that is being answered. */
interface Asked {
  body: Readable;
  hasBegun: boolean;
  /** Rows that were given so far. */
  rows: number;
  /** The reason why the answer is not wanted any more. */
  stopped?: Fault;
  began(head: SqlHead): void;
  failed(fault: Fault): void;
  ended(end: SqlEnd): void;
}

const nothing = (): void => undefined;

const UNSTARTED: Finding = { kind: 'unavailable', message: SENTENCES.start };

/** The parts of a process that was started. */
interface Started {
  child: ChildProcess;
  pipe: Duplex;
  scratch: string;
}

/** @throws the error of the system */
function started(folder: string, settings: Omit<ProcessSettings, 'scratch'>): Started {
  const scratch = mkdtempSync(join(folder, 'query-'));
  try {
    const options = [`--max-old-space-size=${HEAP}`, ...threadOptions(WORKER), fileURLToPath(WORKER)];
    const child = spawn(process.execPath, [...options, JSON.stringify({ ...settings, scratch })], {
      env: {},
      cwd: scratch,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    // Without files left, Node gives a process without pipes, and tells its error later.
    child.on('error', nothing);
    const [, , , pipe] = (child.stdio as ChildProcess['stdio'] | undefined) ?? [];
    if (!pipe) throw new Error('The process has no pipe.');
    return { child, pipe: pipe as Duplex, scratch };
  } catch (error) {
    rmSync(scratch, { recursive: true, force: true });
    throw error;
  }
}

/** Returns why a process has ended without an answer. */
function endOf(signal: NodeJS.Signals | null): Finding {
  // It, or the system, ends it so when it has taken too much memory.
  return { kind: 'statement', message: signal === 'SIGKILL' ? SENTENCES.memory : SENTENCES.failed };
}

/**
 * A process that answers questions to one reach, one at a time. It has no environment, and a folder of its own, which goes
 * with it. It runs with the user of the server: another one could not open a file that only the server may read.
 */
export class QueryProcess {
  readonly reach: string;
  /** Resolves when the process has ended and its folder is gone. */
  readonly closed: Promise<void>;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #reader = new FrameReader();
  #asked: Asked | undefined;
  #isEnded = false;

  private constructor(reach: string, { child, pipe, scratch }: Started) {
    this.reach = reach;
    this.#child = child;
    this.#pipe = pipe;
    pipe.on('data', (chunk: Buffer) => this.#read(chunk));
    // The end of the process says more.
    pipe.on('error', () => undefined);
    this.closed = new Promise<Finding>((resolve) => {
      child.once('exit', (_code, signal) => resolve(endOf(signal)));
      child.once('error', () => resolve(UNSTARTED));
    }).then((finding) => {
      this.#isEnded = true;
      pipe.destroy();
      this.#finish(faultOf(finding));
      return rm(scratch, { recursive: true, force: true });
    });
  }

  /**
   * Starts a process.
   * @param folder in which the folder of this process is made
   * @throws Fault `unavailable` when the system has no room or no process left
   */
  static start(folder: string, settings: Omit<ProcessSettings, 'scratch'>): QueryProcess {
    try {
      return new QueryProcess(settings.reach, started(folder, settings));
    } catch (cause) {
      throw faultOf(UNSTARTED, cause);
    }
  }

  /** True when it can be asked. */
  get isIdle(): boolean {
    return !this.#isEnded && !this.#asked;
  }

  /**
   * Puts a question to an idle process.
   * @param signal its reason, a fault, ends the answer
   */
  ask(question: SqlQuestion, signal: AbortSignal): Answer {
    // It may fail before its reader comes: without a listener that would end the server.
    const body = new Readable({ read: () => void this.#pipe.resume() }).on('error', nothing);
    const stop = () => this.#stop(signal.reason as Fault);
    const asked: Asked = { body, hasBegun: false, rows: 0, began: nothing, failed: nothing, ended: nothing };
    const began = new Promise<{ head: SqlHead; body: Readable }>((resolve, failed) => {
      Object.assign(asked, { began: (head: SqlHead) => resolve({ head, body }), failed });
    });
    const ended = new Promise<SqlEnd>((resolve) => (asked.ended = resolve));
    this.#asked = asked;
    this.#pipe.resume();
    this.#pipe.write(frame(FRAME.query, JSON.stringify(question)));
    signal.addEventListener('abort', stop);
    void ended.then(() => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
    return { began, ended };
  }

  /** Ends the process, whatever it does. @param fault for the question that it answers */
  kill(fault?: Fault): void {
    this.#isEnded = true;
    if (this.#asked && fault) this.#asked.stopped ??= fault;
    this.#child.kill('SIGKILL');
  }

  /** Interrupts the engine; a process whose engine goes on is ended. */
  #stop(fault: Fault): void {
    const asked = this.#asked;
    if (!asked || asked.stopped) return;
    asked.stopped = fault;
    if (asked.hasBegun) asked.body.destroy(fault);
    else asked.failed(fault);
    this.#pipe.write(frame(FRAME.stop, ''));
    // Frames that are on their way are read and dropped.
    this.#pipe.resume();
    setTimeout(() => this.#asked === asked && this.kill(), STOPPED_AFTER).unref();
  }

  #read(chunk: Buffer): void {
    try {
      for (const { kind, content } of this.#reader.read(chunk)) this.#take(kind, content);
    } catch {
      // It does not keep to what it and we have agreed upon.
      this.kill();
    }
  }

  #take(kind: string, content: Buffer): void {
    const asked = this.#asked;
    if (!asked) return;
    if (kind === FRAME.data && !asked.stopped && !asked.body.push(content)) this.#pipe.pause();
    if (kind === FRAME.rows && !asked.stopped) asked.rows = Number(content.toString());
    if (kind === FRAME.head) {
      asked.hasBegun = true;
      asked.began(JSON.parse(content.toString()) as SqlHead);
    }
    if (kind !== FRAME.end) return;
    const { finding, isLast } = JSON.parse(content.toString()) as EndFrame;
    if (isLast) this.#isEnded = true;
    this.#finish(finding && faultOf(finding));
  }

  #finish(found: Fault | undefined): void {
    const asked = this.#asked;
    if (!asked) return;
    this.#asked = undefined;
    const fault = asked.stopped ?? found;
    if (!asked.hasBegun) asked.failed(fault ?? faultOf({ kind: 'statement', message: SENTENCES.failed }));
    else if (fault) asked.body.destroy(fault);
    else asked.body.push(null);
    asked.ended({ rows: asked.rows, ...(fault && { fault }) });
  }
}
