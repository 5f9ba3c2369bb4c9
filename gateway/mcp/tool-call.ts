import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import { ALLOWED, outcomeOf, type Outcome, type RecordOperation } from '../../schema/access/audit.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { MediaRange } from '../../schema/http/media-ranges.ts';
import { imagesRoute, type AskedRequest } from '../../schema/http/served.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { run } from '../federation/graph/graphql-request.ts';
import { scopeOf, type RequestScope } from '../federation/request/request-scope.ts';
import type { TrustedDocuments } from '../federation/request/trusted-documents.ts';
import type { Graphs } from '../federation/graph/graphs.ts';
import type { FederatedServer } from '../federation/apollo/supergraph.ts';
import type { Limits } from '../federation/document/limits.ts';
import type { Authorizer } from '../smart/authorize.ts';
import { namedIn, type DocumentRules } from '../smart/patient/named-patients.ts';

/** The image that a picture shows, and how (PS3.18 §8.3.5). */
export interface AskedPicture {
  target: { studyUid: string; seriesUid?: string; instanceUid?: string };
  /** From 1. */
  frames?: readonly number[] | undefined;
  query: URLSearchParams;
  accept: readonly MediaRange[];
}

/** Renders an image as WADO-RS does, for one caller. @throws the faults of DICOMweb */
export type RenderPicture = (
  caller: { tenant: Tenant; access: Access; signal: AbortSignal; audit: RecordOperation | undefined },
  asked: AskedPicture,
) => Promise<{ headers: Readonly<Record<string, string>>; body: unknown }>;

export interface ToolCallDeps {
  graphs: Graphs;
  limits: Limits;
  documents: (tenant: Tenant) => DocumentRules;
  trusted: TrustedDocuments;
  authorizer: Pick<Authorizer, 'reach'>;
  render: RenderPicture;
}

export interface AskedGraph {
  query: string;
  variables?: Readonly<Record<string, unknown>> | undefined;
  operationName?: string | undefined;
}

/**
 * One call of a tool: what it may use, with the `Access`, the limits and the audit of its request (SM-20). A caller gets
 * nothing here that GraphQL or DICOMweb would refuse.
 */
export class ToolCall {
  readonly #deps: ToolCallDeps;
  readonly #server: FederatedServer;
  readonly #scope: RequestScope;
  readonly #access: Access;
  readonly #record: RecordOperation;
  #isRecorded = false;

  /** @param tool name of the tool, for the audit */
  constructor(deps: ToolCallDeps, asked: { request: FastifyRequest; reply: FastifyReply }, tool: string) {
    const { access, audit } = asked.request;
    this.#deps = deps;
    this.#server = deps.graphs.of(asked.reply).server;
    this.#access = access;
    this.#record = (operation) => {
      this.#isRecorded = true;
      audit?.({ ...operation, tool });
    };
    this.#scope = { ...scopeOf(asked, deps.limits, false), audit: this.#record };
    this.#scope.limitTime?.();
  }

  /**
   * Runs a GraphQL document as `/graphql` does.
   * @returns the answer as JSON, in which some decimals are marked (see `withDecimals`)
   * @throws Fault: the refusals of the authorization hook, of the limits and of documents that are not trusted;
   *   `invalid_request` for an introspection
   */
  async graph(body: AskedGraph): Promise<string> {
    const { limits, trusted } = this.#deps;
    const headers = { 'content-type': 'application/json' };
    const asked = trusted.admit({ method: 'POST', headers, search: '', body }, this.#scope);
    await this.#reach({ serves: { interaction: 'graphql' }, params: {}, body });
    const response = await run(this.#server, this.#scope, asked, limits);
    if (this.#scope.introspection) {
      throw new Fault('invalid_request', 'Call describe_schema to read about the schema.');
    }
    return response.body.kind === 'complete' ? response.body.string : '';
  }

  /** Renders an image as DICOMweb does. */
  async picture(asked: AskedPicture): ReturnType<RenderPicture> {
    const { studyUid } = asked.target;
    await this.#reach({ ...imagesRoute('retrieve').config, params: { studyUid }, body: undefined });
    const { tenant, access, over, audit } = this.#scope;
    return this.#deps.render({ tenant, access, signal: over.signal, audit }, asked);
  }

  /** Records a call of which no core has recorded anything, so that each call leaves a record (IA-30). */
  ended(outcome: Outcome): void {
    if (!this.#isRecorded) this.#record({ action: 'operation', outcome });
  }

  /** Extends the Access by what the call names, as the authorization hook does for a request. */
  async #reach(asked: Omit<AskedRequest, 'query'>): Promise<void> {
    const { authorizer, documents } = this.#deps;
    const named = () => namedIn({ ...asked, query: new URLSearchParams() }, documents(this.#scope.tenant));
    this.#scope.access = { ...(await authorizer.reach(this.#scope.tenant, this.#access, named)) };
  }
}

/** Returns the outcome of a call that gave a result. */
export function outcomeOfResult(isError: boolean | undefined): Outcome {
  return isError ? outcomeOf(new Fault('invalid_request', '')) : ALLOWED;
}
