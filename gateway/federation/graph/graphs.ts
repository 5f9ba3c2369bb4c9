import type { FastifyReply } from 'fastify';
import type { DocumentNode } from 'graphql';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { utf8 } from '../../../schema/process/texts.ts';
import { SettingsError } from '../../settings.ts';
import { Graph } from './graph.ts';
import type { GraphSubgraph } from '../subgraphs/remote-data-source.ts';
import type { SchemaTexts } from '../planning/planner.ts';
import type { ServiceName } from '../request/service-name.ts';
import { supergraphCheck, type SupergraphCheck } from './supergraph-check.ts';
import { watchFile } from './watched-file.ts';
import type { FederatedServer } from '../apollo/supergraph.ts';

/** A file with a supergraph, which may change at any time. */
export interface SupergraphFile {
  path: string;
  /** Milliseconds between two reads. */
  interval: number;
}

export interface GraphsDeps {
  /** The supergraph of this version and its API. */
  texts: SchemaTexts;
  /** Takes the place of that supergraph. */
  file?: SupergraphFile | undefined;
  subgraphs: Readonly<Record<ServiceName, GraphSubgraph>>;
  start: (texts: SchemaTexts) => Promise<FederatedServer>;
  /** Returns the documents that are prepared before the first request. */
  documents: () => Iterable<string>;
  log: Pick<Logger, 'info' | 'error'>;
  /** Counts changes of the file. */
  onReload?: ((outcome: 'loaded' | 'rejected') => void) | undefined;
}

/** The graph that is served. With a file it is replaced as a whole when the file changes (FG-35). */
export class Graphs {
  readonly #deps: GraphsDeps;
  readonly #check: SupergraphCheck | undefined;
  readonly #ending = new AbortController();
  #watching: Promise<void> | undefined;
  #current: Graph;
  #isRejected = false;

  /** @param current has to be started; with a file `check` is that of its changes */
  constructor(deps: GraphsDeps, current: Graph, check: SupergraphCheck | undefined) {
    this.#deps = deps;
    this.#current = current;
    this.#check = check;
  }

  /** Starts the graph. @throws SettingsError for a file that cannot be served */
  static async start(deps: GraphsDeps): Promise<Graphs> {
    const { file, texts, subgraphs, start } = deps;
    if (!file) return new Graphs(deps, new Graph(await start(texts), texts), undefined);
    const check = supergraphCheck(texts.apiSdl, subgraphs);
    try {
      const content = await readFile(file.path, 'utf8').catch((error: Error) => error);
      const checked = await checkedTexts(check, content);
      return new Graphs(deps, new Graph(await start(checked), checked), check);
    } catch (error) {
      await check.close();
      const { message } = error as Error;
      throw new SettingsError(`SUPERGRAPH_FILE ${file.path}: ${message}`, { cause: error });
    }
  }

  /** The API, with its entity tag. */
  get api(): { sdl: Uint8Array; tag: string } {
    const { texts, tag } = this.#current;
    return { sdl: texts.apiSdl, tag };
  }

  /** False while the file has a supergraph that is not served. Always true without a file. */
  get isFileServed(): boolean {
    return !this.#isRejected;
  }

  /** Returns the graph for a request, which keeps it to its end: only a file replaces it. */
  of(reply: FastifyReply): Graph {
    if (this.#deps.file) this.#current.keepFor(reply);
    return this.#current;
  }

  /** Returns a valid document that was sent before; undefined for one that is not known. */
  document(text: string): DocumentNode | undefined {
    return this.#current.server.document(text);
  }

  /** Prepares the documents, and begins to watch the file. @returns the number of documents that are ready */
  async prepare(): Promise<number> {
    const { file, documents } = this.#deps;
    const count = await this.#current.server.prepare(documents());
    if (file) {
      const known = { ...file, content: utf8(this.#current.texts.supergraphSdl) };
      this.#watching = watchFile(known, this.#ending.signal, (content) => this.#reload(content));
    }
    return count;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all([this.#check?.close(), this.#watching]);
    await this.#current.close();
  }

  /** Replaces the graph, if all of the new one is right. Requests that have begun end with the old one. */
  async #reload(content: string | Error): Promise<void> {
    const { log, onReload } = this.#deps;
    try {
      const isServed = content === utf8(this.#current.texts.supergraphSdl);
      const documents = isServed ? undefined : await this.#replace(await checkedTexts(this.#check!, content));
      this.#isRejected = false;
      onReload?.('loaded');
      log.info({ documents }, 'SUPERGRAPH_FILE: the supergraph of the file is served');
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      this.#isRejected = true;
      onReload?.('rejected');
      const { message: reason } = error as Error;
      log.error({ reason }, 'SUPERGRAPH_FILE: rejected, the supergraph before it is still served');
    }
  }

  /** @returns the number of documents that are ready */
  async #replace(texts: SchemaTexts): Promise<number> {
    const { start, documents } = this.#deps;
    const next = new Graph(await start(texts), texts);
    const count = await next.server.prepare(documents());
    const before = this.#current;
    this.#current = next;
    await before.replaced();
    return count;
  }
}

/** @throws Error that says why a content is no supergraph that can be served */
async function checkedTexts(check: SupergraphCheck, content: string | Error): Promise<SchemaTexts> {
  if (typeof content !== 'string') throw content;
  const checked = await check.run(content);
  if ('problem' in checked) throw new Error(checked.problem);
  return { supergraphSdl: Buffer.from(content), apiSdl: Buffer.from(checked.apiSdl) };
}
