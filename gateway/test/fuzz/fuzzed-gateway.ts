import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, errors, request } from 'undici';
import { hold } from '../../../subgraphs/imaging/test/fuzz/target.ts';
import { sharedDataPath } from '../setup/shared-data.ts';
import { MOST_HELD, startWatchedGateway, type WatchedGateway } from '../setup/unharmed.ts';

/** A request to the gateway; the path starts with `/`. */
export interface Asked {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export interface Answer {
  status: number;
  type: string;
  /** The bytes that have arrived. */
  body: Buffer;
  /** True where the connection was closed before the end of the answer. */
  cut: boolean;
}

/** A garbage collection may happen in any request, and a busy machine may hold any: what a document does, it does each time. */
const ATTEMPTS = 4;
/** Megabytes by which memory may grow after the first request. */
const MOST_GROWTH = 700;
/** Milliseconds within which an answer has to come. */
const PATIENCE = 8000;

/** `images` of a small folder of undamaged files. */
const CT_FOLDER = {
  type: 'folder',
  path: sharedDataPath('dicom', 'ct-head-ge'),
  lookup: 'all-studies-on-server',
};

const root = join(import.meta.dirname, '../../..');
let shared: Promise<FuzzedGateway> | undefined;

/** The built gateway as a separate process, whose event loop and memory are watched while it gets bad input. */
export class FuzzedGateway {
  readonly #gateway: WatchedGateway;
  readonly #dispatcher = new Agent({ connections: 8 });
  readonly #idle: number;

  private constructor(gateway: WatchedGateway) {
    this.#gateway = gateway;
    this.#idle = this.#megabytes();
  }

  /**
   * Starts the gateway. @param images of the tenant `fuzz`, which is open to everybody; its records are those of the
   * demonstration
   */
  static async start(images: object): Promise<FuzzedGateway> {
    const fuzz = {
      authorization: { type: 'mock', disableAuthzChecks: true },
      clinical: { type: 'store', path: join(root, 'gateway/demo/patients') },
      images,
      graphql: { introspection: true },
    };
    const gateway = await startWatchedGateway({
      tenants: { fuzz },
      environment: { ALLOW_MOCK: '1', LOG_LEVEL: 'error' },
    });
    return new FuzzedGateway(gateway);
  }

  /** Starts the gateway over a small folder, or returns it: targets that damage requests, not images, share it. */
  static shared(): Promise<FuzzedGateway> {
    return (shared ??= FuzzedGateway.start(CT_FOLDER));
  }

  /** Stops the shared gateway, if it was started. */
  static async stopShared(): Promise<void> {
    await (await shared)?.stop();
  }

  get url(): string {
    return this.#gateway.url;
  }

  async stop(): Promise<void> {
    await this.#dispatcher.destroy();
    await this.#gateway.stop();
  }

  /** Sends one request; returns its answer, whatever its status. */
  async ask({ method, path, headers, body }: Asked): Promise<Answer> {
    const answer = await request(this.url + path, {
      method,
      headers,
      body: body ?? null,
      dispatcher: this.#dispatcher,
      headersTimeout: PATIENCE,
      bodyTimeout: PATIENCE,
    });
    const type = String(answer.headers['content-type'] ?? '');
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of answer.body as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch (error) {
      if (!(error instanceof errors.SocketError)) throw error;
      return { status: answer.statusCode, type, body: Buffer.concat(chunks), cut: true };
    }
    return { status: answer.statusCode, type, body: Buffer.concat(chunks), cut: false };
  }

  /**
   * Runs one piece of work and measures its effect on others. After a block over the bound it is tried again.
   * @throws where the event loop was blocked too long, or memory has grown too much
   */
  async watched(work: (attempt: number) => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      await this.#gateway.watched();
      await work(attempt);
      const { held } = await this.#gateway.watched();
      if (held <= MOST_HELD) break;
      hold(attempt < ATTEMPTS, `the event loop was held for ${Math.round(held)} ms`);
    }
    const growth = this.#megabytes() - this.#idle;
    hold(growth <= MOST_GROWTH, `memory has grown by ${Math.round(growth)} MB`);
  }

  #megabytes(): number {
    const [, pages] = readFileSync(`/proc/${this.#gateway.pid}/statm`, 'latin1').split(' ');
    return (Number(pages) * 4096) / 1e6;
  }
}

/** Statuses of refusals for which the caller is responsible, or that are temporary. */
const REFUSALS = new Set([400, 401, 403, 404, 405, 406, 413, 414, 415, 416, 422, 429, 431, 502, 503, 504]);

/**
 * Checks that an answer is data or a refusal with a reason: never an internal error, and nothing internal in its
 * text. Only multipart and zip may be cut off, where a later part proves to be damaged after the first was sent
 * (DW-13).
 * @param asked the request, for the message
 */
export function holdReadable({ status, type, body, cut }: Answer, asked: string): void {
  const text = body.subarray(0, 5000).toString();
  const said = `${status} ${text.slice(0, 300)} to ${asked.slice(0, 500)}`;
  hold(status < 400 || REFUSALS.has(status), said);
  hold(!cut || (status === 200 && /^multipart|zip$/.test(type)), `cut: ${said}`);
  hold(!/node_modules|\.ts:\d|\bat \S+ \(/.test(text), said);
  if (status >= 400) hold(text.length > 10, said);
  if (/json/.test(type) && body.length > 0) parsed(body.toString(), said);
}

function parsed(text: string, said: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new Error(`no JSON: ${said}`);
  }
}
