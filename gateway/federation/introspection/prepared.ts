import type { FastifyReply, FastifyRequest } from 'fastify';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { takesCoding } from '../../../schema/http/accept-encoding.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { isHeldBy } from '../../../schema/http/entity-tag.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { IdleThreads } from '../../../schema/process/idle-threads.ts';
import { threadModule } from '../../../schema/process/thread-module.ts';
import { answerNames, PREPARED } from './prepared-files.ts';
import type { CompressedAnswer } from './worker.ts';

/** Answers that are kept besides those in files; each has about 300 KB. */
const KEPT = 32;
const AWAY = 'The schema cannot be described at the moment. Try again later.';
/** Extensions of the files that the build writes, by content coding. */
const CODINGS = { br: 'br', gzip: 'gz' } as const;
type Coding = keyof typeof CODINGS;

/**
 * Answers to introspections in their usual form. Those to the standard forms are files of the build, read for each
 * request. Any other is made once, in a thread that starts with the first, and kept compressed. The creator has to call
 * `close`.
 */
export class PreparedIntrospection {
  readonly #nameOf: (form: string) => string;
  readonly #folder: URL;
  readonly #answers = boundedCache<Promise<CompressedAnswer>>({ entries: KEPT });
  readonly #threads: IdleThreads<string, CompressedAnswer>;

  /**
   * @param sdl the schema that the answers describe, in UTF-8
   * @param folder of the prepared answers; it may be missing
   */
  constructor(sdl: Uint8Array, folder: URL = PREPARED) {
    this.#nameOf = answerNames(sdl);
    this.#folder = folder;
    this.#threads = new IdleThreads({
      module: threadModule('worker', import.meta.url),
      name: 'run',
      data: { sdl },
      // The thread holds a whole schema.
      threads: 1,
      heap: 256,
      idle: 30_000,
      queue: 16,
      timeout: 60_000,
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
    const tag = `W/"${this.#nameOf(form)}"`;
    void setCacheControl(reply, 'private').header('etag', tag);
    if (isHeldBy(request.headers['if-none-match'], tag)) return reply.code(304).send();
    void reply.type(type);
    const accepted = String(request.headers['accept-encoding'] ?? '');
    const coding = (Object.keys(CODINGS) as Coding[]).find((one) => takesCoding(accepted, one));
    const bytes = await this.#answer(form, coding ?? 'gzip');
    if (coding) return reply.header('content-encoding', coding).send(bytes);
    return reply.send(Readable.from([bytes]).pipe(createGunzip()));
  }

  async #answer(form: string, coding: Coding): Promise<Uint8Array> {
    const file = new URL(`${this.#nameOf(form)}.json.${CODINGS[coding]}`, this.#folder);
    const prepared = await readFile(file).catch(() => undefined);
    return prepared ?? (await (this.#answers.get(form) ?? this.#made(form)))[coding];
  }

  #made(form: string): Promise<CompressedAnswer> {
    const answer = this.#threads.run(form).catch((cause: unknown) => {
      this.#answers.delete(form);
      throw new Fault('unavailable', AWAY, { retryAfter: 5, cause });
    });
    this.#answers.set(form, answer);
    return answer;
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}
