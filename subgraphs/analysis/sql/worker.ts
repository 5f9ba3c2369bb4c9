/** The process of queries: it opens one reach, and answers one question at a time. Its caller is at the other end of a pipe. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import type { Engine } from './engine.ts';
import { isUsableAfter, toldOf } from './engine-error.ts';
import { QueryError, SENTENCES } from './finding.ts';
import type { Output } from './formats.ts';
import { FRAME, frame, FrameReader, type EndFrame } from './frames.ts';
import type { ProcessSettings, SqlQuestion } from './query.ts';

/** Milliseconds between two looks at the memory of this process. */
const LOOK = 50;
/** Bytes of the largest piece that is sent. */
const PIECE = 2 ** 18;
const MEGABYTE = 2 ** 20;

const settings = JSON.parse(process.argv[2]!) as ProcessSettings;
const pipe = new Socket({ fd: 3, readable: true, writable: true });
const run = { isStopped: false, isBusy: false };

const opened = open();
opened.catch(() => undefined);

async function open(): Promise<Engine> {
  const { Engine } = await import('./engine.ts').catch(() => {
    throw new QueryError('engine', SENTENCES.engine);
  });
  const engine = await Engine.open(settings);
  yieldToOthers();
  return engine;
}

/** Lets the threads of the server go first. Linux counts a priority for each thread; later ones inherit it. */
function yieldToOthers(): void {
  const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [0];
  for (const thread of threads) setPriority(thread, constants.priority.PRIORITY_LOW);
}

const output: Output = {
  begin: (head) => void pipe.write(frame(FRAME.head, JSON.stringify(head))),
  async write(piece, rows) {
    // Before them: the audit never says less than what somebody has got.
    pipe.write(frame(FRAME.rows, String(rows)));
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    for (let at = 0; at < bytes.length; at += PIECE) {
      if (run.isStopped) throw new QueryError('statement', SENTENCES.time);
      if (!pipe.write(frame(FRAME.data, bytes.subarray(at, at + PIECE)))) await once(pipe, 'drain');
    }
  },
};

async function answer(question: SqlQuestion): Promise<void> {
  Object.assign(run, { isBusy: true, isStopped: false });
  const end: EndFrame = { isLast: false };
  try {
    await (await opened).answer(question, output);
  } catch (error) {
    const { kind, message } = toldOf(error);
    end.finding = { kind, message };
    end.isLast = !isUsableAfter(error) || ['unavailable', 'engine'].includes(kind);
  }
  run.isBusy = false;
  // The system may keep what the engine has given back; the next question needs room.
  end.isLast ||= process.memoryUsage.rss() > (settings.memory.process * MEGABYTE) / 2;
  pipe.write(frame(FRAME.end, JSON.stringify(end)));
  if (end.isLast) pipe.end();
}

const reader = new FrameReader();
pipe.on('data', (chunk: Buffer) => {
  for (const { kind, content } of reader.read(chunk)) {
    if (kind === FRAME.query) void answer(JSON.parse(content.toString()) as SqlQuestion);
    if (kind === FRAME.stop) run.isStopped = true;
  }
});
pipe.on('close', () => process.kill(process.pid, 'SIGKILL'));

setInterval(() => {
  if (process.memoryUsage.rss() > settings.memory.process * MEGABYTE) process.kill(process.pid, 'SIGKILL');
  // Again, because the engine forgets an interruption when it begins.
  if (run.isBusy && run.isStopped)
    void opened.then(
      (engine) => engine.interrupt(),
      () => undefined,
    );
}, LOOK);
