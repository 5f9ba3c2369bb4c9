import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { takesCoding } from '../../../schema/http/accept-encoding.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { isHeldBy, tagOf } from '../../../schema/http/entity-tag.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { IdleThreads } from '../../../schema/process/idle-threads.ts';
import { threadModule } from '../../../schema/process/thread-module.ts';
import { UsualIntrospection } from './usual-form.ts';
import type { CompressedAnswer } from './worker.ts';

/** Answers that are kept besides those to the standard forms; each has about 200 KB. */
const KEPT = 32;
const AWAY = 'The schema cannot be described at the moment. Try again later.';

interface Answers {
  set(form: string, answer: Promise<CompressedAnswer>): void;
  delete(form: string): void;
}

/**
 * Answers to introspections in their usual form. Each is made once, in a thread that starts with the first, and kept
 * compressed. Answers to the standard forms are made first and kept for good, so that many other forms can neither
 * displace nor delay them. The creator has to call `close`.
 */
export class PreparedIntrospection {
  readonly #sdl: string;
  readonly #standardForms = new UsualIntrospection().standardForms();
  readonly #standard = new Map<string, Promise<CompressedAnswer>>();
  readonly #answers = new LRUCache<string, Promise<CompressedAnswer>>({ max: KEPT });
  readonly #threads: IdleThreads<string, CompressedAnswer>;

  /** @param sdl the schema that the answers describe */
  constructor(sdl: string) {
    this.#sdl = sdl;
    this.#threads = new IdleThreads({
      ...{ module: threadModule('worker', import.meta.url), name: 'run', data: { sdl } },
      // The thread holds a whole schema.
      ...{ threads: 1, heap: 256, idle: 30_000, queue: 16, timeout: 60_000 },
      messages: { tooMany: AWAY, tooLong: AWAY, failed: AWAY },
    });
  }

  /**
   * Sends the answer, or 304 when the caller has it; also to POST, because a query is as safe there as with GET.
   * @param form from `UsualIntrospection`
   * @param type media type of the answer
   * @throws Fault `unavailable` with `retryAfter` when too many wait
   */
  async send(
    request: FastifyRequest,
    reply: FastifyReply,
    form: string,
    type: string,
  ): Promise<FastifyReply> {
    const tag = `W/${tagOf(this.#sdl + form)}`;
    void setCacheControl(reply, 'private').header('etag', tag);
    if (isHeldBy(request.headers['if-none-match'], tag)) return reply.code(304).send();
    const { br, gzip } = await this.#answer(form);
    void reply.type(type);
    const accepted = String(request.headers['accept-encoding'] ?? '');
    for (const [coding, bytes] of Object.entries({ br, gzip })) {
      if (!takesCoding(accepted, coding)) continue;
      return reply.header('content-encoding', coding).send(bytes);
    }
    return reply.send(Readable.from([gzip]).pipe(createGunzip()));
  }

  #answer(form: string): Promise<CompressedAnswer> {
    for (const standard of this.#standardForms) {
      // The requests that wait for it get the error.
      if (!this.#standard.has(standard)) this.#made(standard, this.#standard).catch(() => undefined);
    }
    return this.#standard.get(form) ?? this.#answers.get(form) ?? this.#made(form, this.#answers);
  }

  #made(form: string, kept: Answers): Promise<CompressedAnswer> {
    const answer = this.#threads.run(form).catch((cause: unknown) => {
      kept.delete(form);
      throw new Fault('unavailable', AWAY, { retryAfter: 5, cause });
    });
    kept.set(form, answer);
    return answer;
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}
