import { lookup } from 'node:dns/promises';
import { BlockList, isIPv6 } from 'node:net';
import { hostOf, networkOf } from '../../../../../schema/outbound/network.ts';
import type { ImagesConfig } from '../../../../../schema/tenant/tenant.ts';
import { archiveAway } from './status.ts';

type Config = Pick<Extract<ImagesConfig, { type: 'dicom-dimse' }>, 'endpoint' | 'calledAe' | 'senders'>;

/** The default of `calledAe`: it names no archive. */
const ANY = 'ANY-SCP';

/** Application entities and their addresses: those from which we take the objects of a C-MOVE. */
export class Senders {
  readonly #entries: readonly { ae: string | undefined; addresses: BlockList }[];

  constructor(senders: readonly { ae?: string | undefined; address: string }[]) {
    this.#entries = senders.map(({ ae, address }) => {
      const addresses = new BlockList();
      const network = networkOf(address);
      if (network) addresses.addSubnet(network.address, network.prefix, network.family);
      return { ae, addresses };
    });
  }

  /**
   * Whether a peer is one of them.
   * @param ae its application entity title; undefined while it has not said it
   */
  includes(address: string, ae?: string): boolean {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return this.#entries.some(
      (entry) => entry.addresses.check(address, family) && (ae === undefined || (entry.ae ?? ae) === ae),
    );
  }
}

/**
 * Who may send what an archive was asked for: those that `senders` lists, or else the archive itself, by the addresses
 * that its name has now and the title that we call it by.
 * @throws Fault `unavailable` where its name has no address
 */
export async function sendersOf({ endpoint, calledAe, senders }: Config): Promise<Senders> {
  if (senders) return new Senders(senders);
  try {
    const addresses = await lookup(hostOf(new URL(endpoint)), { all: true });
    const ae = calledAe === ANY ? undefined : calledAe;
    return new Senders(addresses.map(({ address }) => ({ ae, address })));
  } catch (error) {
    throw archiveAway(error);
  }
}
