import type { EntryFault, Server, ServerEntry, Servers } from './servers.ts';

/** The servers that the user can choose, as the page shows them. */
export class ServerList {
  /** The tenants of this gateway, then the added ones. */
  list = $state.raw<readonly Server[]>([]);
  readonly #servers: Servers;

  constructor(servers: Servers) {
    this.#servers = servers;
    this.list = servers.list;
  }

  /** False where people cannot add servers. */
  get canAdd(): boolean {
    return this.#servers.canAdd;
  }

  /** Adds a server, or replaces the one with this id. @returns what is wrong with the entry; undefined if it was kept */
  keep(entry: ServerEntry, replaced?: string): EntryFault | undefined {
    return this.#changed(() => this.#servers.keep(entry, replaced));
  }

  /** Forgets an added server. */
  remove(id: string): void {
    this.#changed(() => this.#servers.remove(id));
  }

  /** Forgets all added servers. */
  reset(): void {
    this.#changed(() => this.#servers.reset());
  }

  #changed<T>(change: () => T): T {
    const outcome = change();
    this.list = this.#servers.list;
    return outcome;
  }
}
