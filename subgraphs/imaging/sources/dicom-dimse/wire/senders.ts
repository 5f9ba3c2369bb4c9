import { lookup } from 'node:dns/promises';
import { BlockList, isIPv6 } from 'node:net';
import { hostOf, networkOf } from '../../../../../schema/outbound/network.ts';
import type { ImagesConfig } from '../../../../../schema/tenant/tenant.ts';
import { archiveAway } from './status.ts';

type Config = Pick<Extract<ImagesConfig, { type: 'dicom-dimse' }>, 'endpoint' | 'calledAe' | 'senders'>;

/** The default of `calledAe`, which names no archive. */
const ANY = 'ANY-SCP';

/** Application entities and addresses from which objects of a C-MOVE are accepted. */
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
   * Tells whether a peer is one of them.
   * @param ae its application entity title; undefined if not known yet
   */
  includes(address: string, ae?: string): boolean {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return this.#entries.some(
      (entry) => entry.addresses.check(address, family) && (ae === undefined || (entry.ae ?? ae) === ae),
    );
  }
}

/**
 * Returns the senders of objects that an archive was asked for: those of `senders`, or else the archive itself, with
 * the present addresses of its name and its called AE title.
 * @throws Fault `unavailable` when its name has no address
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
