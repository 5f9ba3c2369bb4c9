import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import { AggregatorRegistry } from 'prom-client';
import { NUMBER, SOCKET, type FromSupervisor, type OwnMetrics, type ToSupervisor } from './messages.ts';

export interface SupervisorOptions {
  /** Processes that answer requests. */
  processes: number;
  /** Path of the socket at which the first process serves the others. */
  socket: string;
  /** Secrets that all processes need and that the environment does not have. */
  environment: Readonly<Record<string, string>>;
  log: Logger;
  exit(code: number): void;
}

/** Milliseconds before a process that ended is started again. */
const PAUSE = 1000;
/** Milliseconds for which the metrics of one process are awaited. */
const METRICS_PATIENCE = 2000;

/**
 * Starts the processes that share the port (`node:cluster`), the first one alone until it is ready: it builds what the others
 * then find. Starts one again that ends. This process answers no request.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  /** With the number of each. */
  readonly #workers = new Map<Worker, number>();
  /** The last metrics of each process that is ready. */
  readonly #metrics = new Map<Worker, OwnMetrics>();
  /** Questions for the metrics of all, and the processes whose metrics each of them waits for. */
  readonly #questions = new Set<{ open: Set<Worker>; answer: () => void }>();
  /** The process that is being started; the next one waits for it. */
  #starting: Worker | undefined;
  #wasReady = false;
  #isStopping = false;
  #code = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    cluster.on('exit', (worker, code) => this.#ended(worker, code));
    cluster.on('message', (worker, message) => this.#told(worker, message as ToSupervisor));
  }

  start(): void {
    this.#forkNext();
  }

  /** Stops all processes, each as it would stop alone; called again, it ends them at once. */
  stop(signal: NodeJS.Signals): void {
    if (this.#isStopping) {
      for (const worker of this.#workers.keys()) worker.process.kill('SIGKILL');
      return this.#options.exit(1);
    }
    this.#isStopping = true;
    if (this.#workers.size === 0) return this.#options.exit(0);
    for (const worker of this.#workers.keys()) tell(worker, { type: 'stop', signal });
    this.#tellIfAlone();
  }

  /** Passes a signal on that each process handles as it would alone. */
  passOn(signal: NodeJS.Signals): void {
    for (const worker of this.#workers.keys()) worker.process.kill(signal);
  }

  #told(worker: Worker, message: ToSupervisor): void {
    if (message.type === 'metrics of all wanted') return this.#askMetrics(worker, message.id);
    if (message.type === 'own metrics') return this.#gotMetrics(worker, message.metrics);
    this.#metrics.set(worker, []);
    this.#wasReady = true;
    if (this.#starting === worker) this.#starting = undefined;
    this.#forkNext();
  }

  #forkNext(): void {
    if (this.#isStopping || this.#starting || this.#workers.size >= this.#options.processes) return;
    const { environment, socket } = this.#options;
    const taken = new Set(this.#workers.values());
    let number = 1;
    while (taken.has(number)) number++;
    const worker = cluster.fork({ ...environment, [NUMBER]: number, [SOCKET]: socket });
    this.#workers.set(worker, number);
    this.#starting = worker;
  }

  #ended(worker: Worker, code: number | null): void {
    const number = this.#workers.get(worker);
    this.#workers.delete(worker);
    this.#metrics.delete(worker);
    if (this.#starting === worker) this.#starting = undefined;
    const { log, exit } = this.#options;
    if (this.#isStopping) {
      if (code !== 0) this.#code = 1;
      if (this.#workers.size === 0) return exit(this.#code);
      return this.#tellIfAlone();
    }
    // It failed at its start, has said why, and would fail again.
    if (!this.#wasReady) return exit(code || 1);
    log.error({ process: number, pid: worker.process.pid, code }, 'a process ended; it is started again');
    setTimeout(() => this.#forkNext(), PAUSE);
  }

  /** Tells the first process that it is the last: until then it answers what the others pass on. */
  #tellIfAlone(): void {
    const [last, ...others] = this.#workers.keys();
    if (last && others.length === 0) tell(last, { type: 'others ended' });
  }

  /** Asks all processes for their metrics. One that does not answer in time gave those that it gave last. */
  #askMetrics(asking: Worker, id: number): void {
    const answer = (): void => {
      clearTimeout(timer);
      this.#questions.delete(question);
      const all = [...this.#metrics.values()];
      void AggregatorRegistry.aggregate(all)
        .metrics()
        .then((text) => tell(asking, { type: 'metrics of all', id, text }));
    };
    const timer = setTimeout(answer, METRICS_PATIENCE);
    const question = { open: new Set(this.#metrics.keys()), answer };
    this.#questions.add(question);
    for (const worker of question.open) tell(worker, { type: 'own metrics wanted' });
  }

  #gotMetrics(worker: Worker, metrics: OwnMetrics): void {
    if (this.#metrics.has(worker)) this.#metrics.set(worker, metrics);
    for (const { open, answer } of this.#questions) {
      open.delete(worker);
      if (open.size === 0) answer();
    }
  }
}

function tell(worker: Worker, message: FromSupervisor): void {
  if (worker.isConnected()) worker.send(message);
}
