import type { FastifyReply } from 'fastify';
import { weakTag } from '../../../schema/http/revalidated.ts';
import { PreparedIntrospection } from '../introspection/prepared.ts';
import type { SchemaTexts } from '../planning/planner.ts';
import type { FederatedServer } from '../apollo/supergraph.ts';

/**
 * A started graph: it executes operations over one supergraph, and describes it. Everything that is kept for a document
 * belongs to it. It ends with its last request.
 */
export class Graph {
  readonly server: FederatedServer;
  readonly introspection: PreparedIntrospection;
  readonly texts: SchemaTexts;
  /** Entity tag of the API. */
  readonly tag: string;
  #requests = 0;
  #isReplaced = false;

  constructor(server: FederatedServer, texts: SchemaTexts) {
    this.server = server;
    this.texts = texts;
    this.introspection = new PreparedIntrospection(texts.apiSdl);
    this.tag = weakTag(texts.apiSdl);
  }

  /** Keeps the graph until a request has its answer. */
  keepFor({ raw }: FastifyReply): void {
    if (raw.closed) return;
    this.#requests++;
    raw.once('close', () => {
      this.#requests--;
      void this.#endIfUnused();
    });
  }

  /** Ends the graph when its last request has its answer. */
  async replaced(): Promise<void> {
    this.#isReplaced = true;
    await this.#endIfUnused();
  }

  async close(): Promise<void> {
    await Promise.all([this.server.stop(), this.introspection.close()]);
  }

  async #endIfUnused(): Promise<void> {
    if (this.#isReplaced && this.#requests === 0) await this.close();
  }
}
