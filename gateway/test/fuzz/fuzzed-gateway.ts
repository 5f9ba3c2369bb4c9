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
  /** What has come of it. */
  body: Buffer;
  /** Whether the connection was closed before its end. */
  cut: boolean;
}

/** Milliseconds for which one turn may hold the event loop, even once. */
const HELD_ONCE = 3 * MOST_HELD;
/** Megabytes by which memory may grow over the first request. */
const MOST_GROWTH = 700;
/** Milliseconds until an answer has to be there. */
const PATIENCE = 8000;

/** `images` of a small folder that is not damaged. */
const CT_FOLDER = {
  type: 'folder',
  path: sharedDataPath('dicom', 'ct-head-ge'),
  lookup: 'all-studies-on-server',
};

const root = join(import.meta.dirname, '../../..');
let shared: Promise<FuzzedGateway> | undefined;

/** The built gateway as a process of its own, whose event loop and memory are watched while it is fed bad input. */
export class FuzzedGateway {
  readonly #gateway: WatchedGateway;
  readonly #dispatcher = new Agent({ connections: 8 });
  readonly #idle: number;

  private constructor(gateway: WatchedGateway) {
    this.#gateway = gateway;
    this.#idle = this.#megabytes();
  }

  /** @param images of the tenant called `fuzz`, which anybody may ask; its records are those of the demonstration */
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

  /** One over a small folder, which all targets share that damage requests and not images. */
  static shared(): Promise<FuzzedGateway> {
    return (shared ??= FuzzedGateway.start(CT_FOLDER));
  }

  /** Stops the shared one, where there is one. */
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

  /** Sends one request and gives its answer, whatever its status. */
  async ask({ method, path, headers, body }: Asked): Promise<Answer> {
    const answer = await request(this.url + path, {
      ...{ method, headers, body: body ?? null, dispatcher: this.#dispatcher },
      ...{ headersTimeout: PATIENCE, bodyTimeout: PATIENCE },
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
   * Runs one piece of work and looks at what it did to others. A hold a little over the bound is tried once more: a
   * collection of garbage may fall on any request.
   * @throws where the event loop was held too long, or memory has grown too much
   */
  async watched(work: (attempt: number) => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      await this.#gateway.held();
      await work(attempt);
      const held = await this.#gateway.held();
      if (held <= MOST_HELD) break;
      hold(attempt === 0 && held <= HELD_ONCE, `the event loop was held for ${Math.round(held)} ms`);
    }
    const growth = this.#megabytes() - this.#idle;
    hold(growth <= MOST_GROWTH, `memory has grown by ${Math.round(growth)} MB`);
  }

  #megabytes(): number {
    const [, pages] = readFileSync(`/proc/${this.#gateway.pid}/statm`, 'latin1').split(' ');
    return (Number(pages) * 4096) / 1e6;
  }
}

/** Statuses of refusals that are the caller's to mend, or that say to come again. */
const REFUSALS = new Set([400, 401, 403, 404, 405, 406, 413, 414, 415, 416, 422, 429, 431, 502, 503, 504]);

/**
 * Holds an answer to being one, or a refusal in words: never a failure of ours, nothing of what is inside. Only one of
 * several parts may be cut, where a later part proves to be damaged after the first was sent (DW-13).
 * @param asked for the message
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
