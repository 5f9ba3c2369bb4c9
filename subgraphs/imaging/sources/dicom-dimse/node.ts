import dimse from 'dcmjs-dimse';
import { randomInt } from 'node:crypto';
import { RetrievalCache } from './cache.ts';
import type { Associations } from './dimse-client.ts';
import { Refusals, type RefusalLog } from './refusals.ts';
import { StoreScp } from './wire/store-scp.ts';
import type { ParsingThreads } from '../../threads/parsing-threads.ts';
import type { Incoming } from './spool.ts';
import { Semaphore } from '../../../../schema/concurrency/semaphore.ts';
import type { ImagesConfig } from '../../../../schema/tenant/tenant.ts';

type DimseConfig = Extract<ImagesConfig, { type: 'dicom-dimse' }>;

export interface DimseNodeOptions {
  /** Completed retrievals are kept here. */
  directory: string;
  /** Bytes that they may take. */
  maxBytes: number;
  /** Where our C-STORE SCP listens; not before the first C-MOVE. */
  port: number;
  host: string;
  /** Parse the headers of what arrives; stay open when the node closes. */
  threads: ParsingThreads;
  /** Logs refused associations and objects; `onRefused` counts them by their reason. */
  log: RefusalLog;
  onRefused?: ((reason: string) => void) | undefined;
}

/**
 * What all DIMSE sources of the process share: the cache, the port that C-MOVE sends to, and how many associations each
 * archive has to bear.
 */
export class DimseNode {
  readonly cache: RetrievalCache;
  readonly scp: StoreScp;
  readonly incoming: Incoming;
  /** Associations and objects that are not taken. */
  readonly refusals: Refusals;
  readonly #associations = new Map<string, Associations>();
  #messageId = randomInt(0xffff);

  constructor({ directory, maxBytes, port, host, threads, log, onRefused }: DimseNodeOptions) {
    // The library writes past our log, and of hosts and patients; what fails is told by Faults.
    dimse.log.setLevel('silent');
    this.cache = new RetrievalCache(directory, maxBytes);
    this.incoming = { directory: this.cache.incoming, threads };
    this.refusals = new Refusals(log, onRefused);
    this.scp = new StoreScp({ port, host, refusals: this.refusals });
  }

  /**
   * Associations with an archive, which all its sources share that are set up alike.
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

  /** Of a C-MOVE: two under way have not the same, and the first is no stranger's guess. 16 bits, PS3.7 §E.1. */
  nextMessageId(): number {
    return (this.#messageId = (this.#messageId % 0xffff) + 1);
  }

  close(): Promise<void> {
    return this.scp.close();
  }
}
