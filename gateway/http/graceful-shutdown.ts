import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';

/** How long requests in progress may take once no new ones come. */
export const DRAIN_SECONDS = 20;

export interface ShutdownOptions {
  /** Seconds between SIGTERM and the end of listening, in which load balancers find another instance. */
  delaySeconds: number;
  exit: (code: number) => void;
  log: Logger;
}

/**
 * Ends the process without failing a request. After SIGTERM readiness says no while everything is still answered, each
 * answer with `Connection: close` (RFC 9112 §9.6); then listening ends and requests in progress are finished. SIGINT, as
 * of Ctrl-C, does not wait for load balancers. A second signal ends the process at once.
 */
export class GracefulShutdown {
  readonly #options: ShutdownOptions;
  #begun = false;
  #serving: { server: Server; close: () => Promise<unknown> } | undefined;

  constructor(options: ShutdownOptions) {
    this.#options = options;
  }

  /**
   * Says what is to be finished; until then a signal ends the process at once.
   * @param close stops listening; resolves when requests in progress are answered and all else is closed
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
    // A connection whose request began before the signal would be kept alive after its answer.
    setInterval(() => server.closeIdleConnections(), 100).unref();
    await close();
  }
}
