import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';

/** Time for requests in progress to finish after listening has ended. */
export const DRAIN_SECONDS = 20;

export interface ShutdownOptions {
  /** Seconds between SIGTERM and the end of listening: load balancers find another instance in this time. */
  delaySeconds: number;
  exit: (code: number) => void;
  log: Logger;
}

/**
 * Ends the process without failing a request. After SIGTERM, readiness answers 503 while all other requests are still
 * answered, with `Connection: close` (RFC 9112 §9.6). Then listening ends, and requests in progress are finished. SIGINT
 * (Ctrl-C) does not wait for load balancers. A second signal ends the process at once.
 */
export class GracefulShutdown {
  readonly #options: ShutdownOptions;
  #begun = false;
  #serving: { server: Server; close: () => Promise<unknown> } | undefined;

  constructor(options: ShutdownOptions) {
    this.#options = options;
  }

  /**
   * Sets the server whose requests are to be finished. Before this call, a signal ends the process at once.
   * @param close stops listening; resolves when requests in progress are answered and everything else is closed
   */
  serves(server: Server, close: () => Promise<unknown>): void {
    this.#serving = { server, close };
    server.prependListener('request', (_request, response) => {
      if (this.#begun) response.setHeader('connection', 'close');
    });
  }

  /** False from the first signal on. */
  get isReady(): boolean {
    return !this.#begun;
  }

  /** Starts the shutdown; called again, it ends the process at once. */
  begin(signal: NodeJS.Signals): void {
    const { log, exit, delaySeconds } = this.#options;
    if (this.#begun) return exit(1);
    this.#begun = true;
    if (!this.#serving) return exit(0);
    const seconds = signal === 'SIGTERM' ? delaySeconds : 0;
    log.info({ signal, listeningFor: seconds }, 'stopping: requests in progress are finished');
    setTimeout(() => exit(1), (seconds + DRAIN_SECONDS) * 1000).unref();
    this.#drain(seconds).then(
      () => exit(0),
      (err: unknown) => {
        log.error({ err }, 'stopping failed');
        exit(1);
      },
    );
  }

  async #drain(afterSeconds: number): Promise<void> {
    const { server, close } = this.#serving!;
    if (afterSeconds > 0) await delay(afterSeconds * 1000);
    // Without this, a connection whose request began before the signal would stay open after its answer.
    setInterval(() => server.closeIdleConnections(), 100).unref();
    await close();
  }
}
