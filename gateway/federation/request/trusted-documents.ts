import { Fault } from '../../../schema/fault/fault.ts';
import { documentIdOf, type TrustedManifest } from '../../../schema/graphql/trusted-manifest.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Metrics } from '../../http/metrics.ts';
import { membersOf, type AskedGraphql } from './asked-graphql.ts';
import { namedDocument, type SentDocument } from './sent-document.ts';
import type { RequestScope } from './request-scope.ts';

/**
 * The trusted documents of all tenants (FG-13): those of the gateway's own pages and tools, and for each tenant those of its
 * operator. What a client sends is never added, so automatic persisted queries make no document trusted.
 */
export class TrustedDocuments {
  readonly #own: TrustedManifest;
  readonly #count: Metrics['untrustedDocument'];

  constructor(own: TrustedManifest, count: Metrics['untrustedDocument']) {
    this.#own = own;
    this.#count = count;
  }

  /** Returns the text of a tenant's trusted document. @param id its SHA-256, in hexadecimal */
  text({ graphql }: Pick<Tenant, 'graphql'>, id: string): string | undefined {
    return this.#own.get(id) ?? graphql.documents?.get(id);
  }

  /** Returns all texts, each once: first those of the gateway itself. */
  texts(tenants: readonly Tenant[]): Set<string> {
    return new Set(
      [this.#own, ...tenants.map(({ graphql }) => graphql.documents ?? new Map())].flatMap((documents) => [
        ...documents.values(),
      ]),
    );
  }

  /**
   * Returns a request with the text of the trusted document that it names, and with what is known of its document.
   * @throws Fault `forbidden` for a document that is not trusted, where the tenant wants only those; `invalid_request` for a
   *   `documentId` that names none
   */
  admit(asked: AskedGraphql, scope: Pick<RequestScope, 'tenant' | 'log'>): AskedGraphql {
    const found = this.#withText(asked, scope.tenant);
    if (scope.tenant.graphql.trustedDocuments === 'off') return found;
    return { ...found, document: this.#judged(membersOf(found), scope) };
  }

  /** Puts the text of a trusted document where a request names it. Other persisted queries are left to Apollo Server. */
  #withText(asked: AskedGraphql, tenant: Tenant): AskedGraphql {
    const sent = membersOf(asked);
    const { id, isPersisted } = namedDocument(sent);
    if (id === undefined) return asked;
    const text = this.text(tenant, id);
    const isSent = typeof sent['query'] === 'string';
    if (!isPersisted && (isSent || text === undefined)) throw isSent ? twoDocuments() : unknownId();
    return isSent || text === undefined ? asked : withText(asked, text);
  }

  #judged(
    sent: Record<string, unknown>,
    { tenant, log }: Pick<RequestScope, 'tenant' | 'log'>,
  ): SentDocument {
    const { query } = sent;
    const isText = typeof query === 'string';
    const sha256 = isText ? documentIdOf(query) : namedDocument(sent).id;
    // A hash alone is that of a persisted query by now.
    const isTrusted = isText && this.text(tenant, sha256!) === query;
    const tell = (decision: 'accepted' | 'refused', operation?: string) => {
      this.#count(tenant.dynamic ? 'dyn' : tenant.key, decision);
      // The hash of a persisted query is what the client says.
      const document = /^[0-9a-f]{64}$/.test(sha256 ?? '') ? sha256 : undefined;
      log.warn({ tenant: tenant.key, document, operation }, `a document that is not trusted was ${decision}`);
    };
    if (!isTrusted && tenant.graphql.trustedDocuments === 'enforce') {
      tell('refused');
      throw notTrusted();
    }
    let isTold = false;
    const accepted = (operation: string | undefined) => {
      if (!isTold) tell('accepted', operation);
      isTold = true;
    };
    return { isTrusted, accepted };
  }
}

/**
 * Checks the document of an execution. It is asked by what executes, so that a way in that does not call `admit` gets nothing
 * where the tenant wants only trusted documents.
 * @throws Fault `forbidden`
 */
export function requireTrusted(
  { tenant: { graphql }, document }: Pick<RequestScope, 'tenant' | 'document'>,
  operation: string | undefined,
): void {
  if (graphql.trustedDocuments === 'off' || document?.isTrusted) return;
  if (graphql.trustedDocuments === 'enforce') throw notTrusted();
  document?.accepted(operation);
}

const notTrusted = () =>
  new Fault(
    'forbidden',
    'This tenant executes only trusted documents, and this is none of them. Send one with exactly its text, or its ' +
      'documentId. Its operator can add documents: graphql.trustedDocumentsFile.',
  );

const unknownId = () =>
  new Fault(
    'invalid_request',
    'documentId names no trusted document of this tenant. It is the SHA-256 of the text, in hexadecimal, after "sha256:".',
  );

const twoDocuments = () => new Fault('invalid_request', 'Send either query or documentId.');

function withText(asked: AskedGraphql, query: string): AskedGraphql {
  if (asked.method === 'POST') return { ...asked, body: { ...(asked.body as object), query } };
  const parameters = new URLSearchParams(asked.search);
  parameters.set('query', query);
  return { ...asked, search: `?${parameters.toString()}` };
}
