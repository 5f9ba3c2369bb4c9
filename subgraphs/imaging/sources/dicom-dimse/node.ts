import dimse from 'dcmjs-dimse';
import { RetrievalCache } from './cache.ts';
import { StoreScp } from './store-scp.ts';
import { Turns } from '../turns.ts';

/** Associations with one archive at a time: what archives are set up for, by and large. */
const MAX_ASSOCIATIONS = 8;

export interface DimseNodeOptions {
  /** Completed retrievals are kept here. */
  directory: string;
  /** Bytes that they may take. */
  maxBytes: number;
  /** Where our C-STORE SCP listens; not before the first C-MOVE. */
  port: number;
  host: string;
}

/**
 * What all DIMSE sources of the process share: the cache, the port that C-MOVE sends to, and how many associations each
 * archive has to bear.
 */
export class DimseNode {
  readonly cache: RetrievalCache;
  readonly scp: StoreScp;
  readonly #turns = new Map<string, Turns>();
  #messageId = 0;

  constructor({ directory, maxBytes, port, host }: DimseNodeOptions) {
    // The library writes past our log, and of hosts and patients; what fails is told by Faults.
    dimse.log.setLevel('silent');
    this.cache = new RetrievalCache(directory, maxBytes);
    this.scp = new StoreScp(port, host, this.cache.incoming);
  }

  /** Associations with an archive, by its host and port. */
  turns(archive: string): Turns {
    const turns = this.#turns.get(archive) ?? new Turns(MAX_ASSOCIATIONS);
    this.#turns.set(archive, turns);
    return turns;
  }

  /** Of a C-MOVE: two under way have not the same. 16 bits, PS3.7 §E.1. */
  nextMessageId(): number {
    return (this.#messageId = (this.#messageId % 0xffff) + 1);
  }

  close(): Promise<void> {
    return this.scp.close();
  }
}
