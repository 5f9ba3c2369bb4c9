import type { MadeLink, SharedLink, WantedLink } from '../../domain/shared-link.ts';
import type { ShareSource } from '../source.ts';
import { damaged, type Transport } from '../transport.ts';

const accept = 'application/json';

/** Links of a tenant of our gateway (`/{tenant}/share`). */
export class ShareLinks implements ShareSource {
  readonly #address: string;
  readonly #transport: Transport;

  /** @param tenant `{gateway}/{tenant}`, without a slash at the end */
  constructor(tenant: string, transport: Transport) {
    this.#address = `${tenant}/share`;
    this.#transport = transport;
  }

  async list(signal: AbortSignal): Promise<readonly SharedLink[]> {
    const { links } = ((await this.#transport.json(this.#address, { accept, signal })) ?? {}) as {
      links?: SharedLink[];
    };
    if (!Array.isArray(links)) throw damaged(this.#address, 'has no links');
    return links;
  }

  async make(wanted: WantedLink): Promise<MadeLink> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify(wanted);
    const made = (await this.#transport.json(this.#address, { method: 'POST', accept, headers, body })) as
      Partial<MadeLink> | undefined;
    const { id, link, expires, notIncluded = [] } = made ?? {};
    if (!id || !link || !expires) throw damaged(this.#address, 'has no link');
    return { id, link, expires, notIncluded };
  }

  async stop(id: string): Promise<void> {
    await this.#transport.send(`${this.#address}/${encodeURIComponent(id)}`, { method: 'DELETE', accept });
  }
}
