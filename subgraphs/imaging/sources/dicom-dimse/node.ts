import dimse from 'dcmjs-dimse';
import { randomInt } from 'node:crypto';
import { RetrievalCache } from './cache.ts';
import type { Associations } from './dimse-client.ts';
import { Refusals, type RefusalLog } from './refusals.ts';
import { StoreScp } from './wire/store-scp.ts';
import type { ParsingThreads } from '../../threads/parsing-threads.ts';
import type { Incoming } from './spool.ts';
import { Semaphore } from '../../../../schema/concurrency/semaphore.ts';
import { RenewedTls, type TlsConfig, type TlsLog } from '../../../../schema/outbound/tls.ts';
import type { ImagesConfig } from '../../../../schema/tenant/tenant.ts';

type DimseConfig = Extract<ImagesConfig, { type: 'dicom-dimse' }>;

export interface DimseNodeOptions {
  /** Directory of completed retrievals. */
  directory: string;
  /** Bytes of completed retrievals. */
  maxBytes: number;
  /** Port of the C-STORE SCP, which listens from the first C-MOVE on. */
  port: number;
  host: string;
  /** Parse the headers of arriving objects. Stay open when the node closes. */
  threads: ParsingThreads;
  /** Certificates of the C-STORE SCP, which then speaks TLS only; with `ca` it accepts only certificates of these authorities. */
  tls?: TlsConfig | undefined;
  /** Logs refused associations and objects; `onRefused` counts them by their reason. */
  log: RefusalLog & TlsLog;
  onRefused?: ((reason: string) => void) | undefined;
}

/**
 * The part that all DIMSE sources of the process share: the cache, the port for C-MOVE, and the limits of associations
 * with each archive.
 */
export class DimseNode {
  readonly cache: RetrievalCache;
  readonly scp: StoreScp;
  readonly incoming: Incoming;
  readonly log: TlsLog;
  /** Refused associations and objects. */
  readonly refusals: Refusals;
  readonly #associations = new Map<string, Associations>();
  #messageId = randomInt(0xffff);

  constructor({ directory, maxBytes, port, host, tls, threads, log, onRefused }: DimseNodeOptions) {
    // The library would log hosts and patients outside the gateway's log. Faults report failures.
    dimse.log.setLevel('silent');
    this.cache = new RetrievalCache(directory, maxBytes);
    this.incoming = { directory: this.cache.incoming, threads };
    this.refusals = new Refusals(log, onRefused);
    this.log = log;
    this.scp = new StoreScp({ port, host, refusals: this.refusals, tls: tls && new RenewedTls(tls, log) });
  }

  /**
   * Returns the limits of associations with an archive. Sources with the same limits share them.
   * @param archive its host and port
   */
  associations(archive: string, { searches, retrievals }: DimseConfig['connections']): Associations {
    const key = `${archive} ${searches} ${retrievals}`;
    const known = this.#associations.get(key);
    const associations = known ?? {
      searches: new Semaphore(searches),
      retrievals: new Semaphore(retrievals),
    };
    this.#associations.set(key, associations);
    return associations;
  }

  /**
   * Returns the next Message ID of a C-MOVE, 16 bits (PS3.7 §E.1). Running moves have different ones; the first is
   * random.
   */
  nextMessageId(): number {
    return (this.#messageId = (this.#messageId % 0xffff) + 1);
  }

  close(): Promise<void> {
    return this.scp.close();
  }
}
