import type { Logger } from 'pino';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { notPrepared } from '../../tenants/loading/not-prepared.ts';
import { buildPopulation, populationPaths } from './build.ts';

/** Tells whether a tenant's data are the population in this folder. */
export const isPopulation = ({ clinical }: Tenant, folder: string): boolean =>
  clinical.type === 'store' && clinical.path === populationPaths(folder).records;

export interface PopulationOptions {
  /** Folder of the population. */
  folder: string;
  /** Loads the record of a tenant, indexes its images, and begins its tables. */
  prepare: (tenant: Tenant) => Promise<void>;
  log: Pick<Logger, 'error'>;
  /** True when nothing waits for a visit. */
  isReady: boolean;
  /** Milliseconds since the epoch (default: the clock). */
  now?: () => number;
}

/** Milliseconds after which a population that could not be made is tried again. */
const AGAIN = 60_000;

/** The population of the demonstration, which is made at the first visit of its tenant: a start does not wait for it. */
export class PopulationOnDemand {
  readonly #options: PopulationOptions;
  #making: Promise<void> | undefined;
  #isReady: boolean;
  #failedAt: number | undefined;
  #progress: readonly [done: number, total: number] | undefined;

  constructor(options: PopulationOptions) {
    this.#options = options;
    this.#isReady = options.isReady;
  }

  /** Tells whether a tenant waits for its first visit. */
  waits(tenant: Tenant): boolean {
    return !this.#isReady && isPopulation(tenant, this.#options.folder);
  }

  /** Prepares a tenant, unless it waits for its first visit. */
  async prepare(tenant: Tenant): Promise<void> {
    if (!this.waits(tenant)) await this.#options.prepare(tenant);
  }

  /** Counts a visit. @returns the refusal of requests for data, until they are there */
  visited(tenant: Tenant): Fault | undefined {
    if (!this.waits(tenant)) return undefined;
    const { log, now = Date.now } = this.#options;
    const left = this.#failedAt === undefined ? 0 : this.#failedAt + AGAIN - now();
    if (left > 0) return notMade(left / 1000);
    this.#failedAt = undefined;
    const failed = notPrepared(log, tenant);
    this.#making ??= this.#make(tenant)
      .catch((error: unknown) => {
        this.#failedAt = now();
        failed(error);
      })
      .finally(() => (this.#making = undefined));
    const [done, total] = this.#progress ?? [0, 0];
    const far = total === 0 ? '' : `: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} images`;
    return new Fault(
      'unavailable',
      `The population is being made, once, for its first visitor${far}. Try again in some seconds.`,
      { retryAfter: 2 },
    );
  }

  async #make(tenant: Tenant): Promise<void> {
    await buildPopulation(this.#options.folder, (...progress) => (this.#progress = progress));
    // A first answer without the images would be taken for the whole.
    await this.#options.prepare(tenant);
    this.#isReady = true;
  }
}

function notMade(retryAfter: number): Fault {
  const message =
    'The population could not be made. The operator finds the reason in the log; it is tried again in a minute.';
  return new Fault('unavailable', message, { retryAfter });
}
