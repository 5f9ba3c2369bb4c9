import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

/** An answer that was read whole. */
export interface WholeAnswer {
  statusCode: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/**
 * Sends a request and reads its answer as a whole, as text, without a stream for it.
 * @throws the signal's reason when that aborts; the error of the connection
 */
export function exchange(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal | undefined,
): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    let connection: Dispatcher.DispatchController | undefined;
    let begun: Pick<WholeAnswer, 'statusCode' | 'headers'> = { statusCode: 0, headers: {} };
    const chunks: Buffer[] = [];
    const abort = (): void => {
      const reason = signal!.reason as Error;
      // It may still wait for a connection.
      connection?.abort(reason);
      reject(reason);
    };
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort);
    const ended = (): void => signal?.removeEventListener('abort', abort);
    dispatcher.dispatch(options, {
      onRequestStart(controller) {
        connection = controller;
        if (signal?.aborted) controller.abort(signal.reason as Error);
      },
      onResponseStart(_controller, statusCode, headers) {
        begun = { statusCode, headers };
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        ended();
        const [first, ...more] = chunks;
        const body = first && more.length === 0 ? first : Buffer.concat(chunks);
        resolve({ ...begun, text: body.toString() });
      },
      onResponseError(_controller, error) {
        ended();
        reject(error);
      },
    });
  });
}
