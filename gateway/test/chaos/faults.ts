/** The faults that the system has to survive, one after the other. */
import { setTimeout as delay } from 'node:timers/promises';
import { ROLES, type Role } from './balancers.ts';
import type { CutPlace } from './network.ts';
import type { Supervised } from './supervised.ts';
import type { System } from './system.ts';

export interface Fault {
  name: string;
  /** Resolves when the part is back, as its supervisor or its network sees it. */
  happen(): Promise<void>;
}

export interface FaultTimes {
  /** Milliseconds for which a part is frozen or cut off. */
  away: number;
  /** Milliseconds after which a part that ended is started again. */
  restarted: number;
}

/** Returns all faults, those of the processes and of Redis first. */
export function faultsOf(system: System, { away, restarted }: FaultTimes): Fault[] {
  const { processes, redis, orthanc, postgresql, places } = system;
  const killed = (role: Role, process: Supervised): Fault => ({
    name: `kill -9 of one ${role} process`,
    happen: () => process.restart(),
  });
  const cut = (part: string, place: CutPlace): Fault => ({
    name: `network cut to ${part}`,
    async happen() {
      place.cut();
      await delay(away);
      place.join();
    },
  });
  return [
    ...ROLES.map((role) => killed(role, processes[role].at(-1)!)),
    { name: 'Redis restarts', happen: () => redis.restart('SIGTERM') },
    {
      name: 'Redis hangs',
      async happen() {
        redis.freeze();
        await delay(away);
        redis.thaw();
      },
    },
    {
      name: 'Orthanc restarts',
      async happen() {
        await orthanc.kill();
        await delay(restarted);
        await orthanc.restart();
      },
    },
    {
      name: 'PostgreSQL restarts',
      async happen() {
        await postgresql.kill();
        await delay(restarted);
        await postgresql.start();
      },
    },
    cut('Redis', places.redis),
    cut('Orthanc and PostgreSQL', places.archive),
    cut('one imaging process', places.imaging),
    cut('one clinical process', places.clinical),
  ];
}
