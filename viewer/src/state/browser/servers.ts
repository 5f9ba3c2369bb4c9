/** The servers that the viewer can open: the tenants of its own gateway, and those that the user has added. */
import { storageIfAllowed } from './browser-storage.ts';

export interface Server {
  /** In the page's address: the tenant, or for an added server its FHIR base without `https://`. */
  id: string;
  name: string;
  /** Without a slash at the end. */
  fhirBase: string;
  /** The id with which the viewer is registered there. */
  clientId: string;
  /** True for a tenant of the gateway that serves this page. */
  isOwn: boolean;
}

/** A server as the user types it. */
export interface ServerEntry {
  name: string;
  fhirBase: string;
  /** `viewer` if it is left out. */
  clientId?: string | undefined;
}

/**
 * Why an entry cannot be kept. `not-https`: others could read the token on the way. `not-kept`: the browser's storage is
 * full or blocked.
 */
export type EntryFault = 'no-name' | 'no-address' | 'not-https' | 'known-already' | 'not-kept';

const KEY = 'servers';
const CLIENT_ID = 'viewer';
const TENANT = /^(?:dyn\/)?[^/?#]+$/;

export interface ServersOptions {
  /** Base URL of the gateway that serves the page, with a slash at the end; undefined for a static site. */
  gateway?: string | undefined;
  /** Its tenants that the list shows; others open by their address. */
  tenants?: readonly string[] | undefined;
  /** True when the page opens these only. */
  onlyOwn?: boolean | undefined;
  /** Has names and addresses only; never a token. Undefined where the browser refuses it. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined;
}

export class Servers {
  readonly #gateway: string | undefined;
  readonly #tenants: readonly string[];
  readonly #storage: ServersOptions['storage'];
  /** False where the operator of the page has not allowed other servers. */
  readonly canAdd: boolean;

  constructor(options: ServersOptions) {
    this.#gateway = options.gateway;
    this.#tenants = options.tenants ?? ['demo'];
    this.canAdd = !options.onlyOwn;
    this.#storage = 'storage' in options ? options.storage : storageIfAllowed('localStorage');
  }

  /** The tenants of this gateway, then the added ones in the order in which they were added. */
  get list(): readonly Server[] {
    const own = this.#gateway === undefined ? [] : this.#tenants.map((tenant) => this.#tenant(tenant));
    return [...own, ...this.#added];
  }

  /** Returns a server by its id in the page's address; any tenant of this gateway counts. */
  byId(id: string): Server | undefined {
    const added = this.#added.find((server) => server.id === id);
    return added ?? (this.#gateway !== undefined && TENANT.test(id) ? this.#tenant(id) : undefined);
  }

  /** Returns the server with a FHIR base, such as the `iss` of an EHR launch (SMART App Launch 2.2 §2.0.7). */
  byBase(address: string): Server | undefined {
    const base = baseOf(address);
    if (base === undefined) return undefined;
    const gateway = this.#gateway;
    if (gateway !== undefined && base.startsWith(gateway) && base.endsWith('/fhir')) {
      const tenant = base.slice(gateway.length, -'/fhir'.length);
      if (TENANT.test(tenant)) return this.#tenant(decodeURIComponent(tenant));
    }
    return this.#added.find(({ fhirBase }) => fhirBase === base);
  }

  /** Adds a server, or replaces the one with this id. @returns what is wrong with the entry; undefined if it was kept */
  keep(entry: ServerEntry, replaced?: string): EntryFault | undefined {
    if (entry.name.trim() === '') return 'no-name';
    const base = baseOf(entry.fhirBase);
    if (base === undefined || !isPrivate(base)) return addressFault(entry.fhirBase);
    const before = this.#added;
    const place = before.findIndex(({ id }) => id === replaced);
    if (this.byBase(base) && this.byBase(base)?.id !== replaced) return 'known-already';
    const clientId = entry.clientId?.trim() || undefined;
    const kept: ServerEntry = { name: entry.name.trim(), fhirBase: base, clientId };
    // It would open in place of the tenant of this gateway with that id.
    if (this.#tenants.includes(addedServer(kept).id)) return 'known-already';
    return this.#store(place < 0 ? [...before, kept] : before.with(place, addedServer(kept)));
  }

  remove(id: string): void {
    this.#store(this.#added.filter((server) => server.id !== id));
  }

  /** Forgets all added servers. */
  reset(): void {
    this.#storage?.removeItem(KEY);
  }

  get #added(): Server[] {
    if (!this.canAdd) return [];
    try {
      const stored: unknown = JSON.parse(this.#storage?.getItem(KEY) ?? '[]');
      return Array.isArray(stored) ? stored.filter(isEntry).map(addedServer) : [];
    } catch {
      return [];
    }
  }

  #store(entries: readonly ServerEntry[]): 'not-kept' | undefined {
    const kept = entries.map(({ name, fhirBase, clientId }) => ({ name, fhirBase, clientId }));
    if (!this.#storage || !this.canAdd) return 'not-kept';
    try {
      this.#storage.setItem(KEY, JSON.stringify(kept));
      return undefined;
    } catch {
      return 'not-kept';
    }
  }

  #tenant(tenant: string): Server {
    const path = tenant.split('/').map(encodeURIComponent).join('/');
    return {
      id: tenant,
      name: tenant,
      fhirBase: `${this.#gateway}${path}/fhir`,
      clientId: CLIENT_ID,
      isOwn: true,
    };
  }
}

function addedServer({ name, fhirBase, clientId = CLIENT_ID }: ServerEntry): Server {
  return { id: fhirBase.replace(/^https?:\/\//, ''), name, fhirBase, clientId, isOwn: false };
}

/** Returns true for an entry that this page has stored: other pages of the site share the storage. */
function isEntry(value: unknown): value is ServerEntry {
  const { name, fhirBase, clientId } = (value ?? {}) as Partial<Record<keyof ServerEntry, unknown>>;
  if (typeof name !== 'string' || typeof fhirBase !== 'string') return false;
  return (
    (clientId === undefined || typeof clientId === 'string') &&
    baseOf(fhirBase) === fhirBase &&
    isPrivate(fhirBase)
  );
}

/** Returns a FHIR base in one spelling; undefined for what is none. */
function baseOf(address: string): string | undefined {
  if (!URL.canParse(address.trim())) return undefined;
  const { protocol, username, password, search, hash, href } = new URL(address.trim());
  if (!/^https?:$/.test(protocol) || username || password || search || hash) return undefined;
  return href.replace(/\/+$/, '');
}

/** Returns why an address cannot be that of a server. */
export function addressFault(address: string): 'no-address' | 'not-https' | undefined {
  const base = baseOf(address);
  if (base === undefined) return 'no-address';
  return isPrivate(base) ? undefined : 'not-https';
}

/** Returns true for an address whose requests nobody else can read. */
function isPrivate(base: string): boolean {
  const { protocol, hostname } = new URL(base);
  return protocol === 'https:' || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname);
}
