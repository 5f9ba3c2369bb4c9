/** Network namespaces joined by a bridge, so that a part on this machine can be cut off as a machine is. Needs root. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { ensureInstalled } from '../setup/parts.ts';

/** Where a program runs and listens. */
export interface Place {
  address: string;
  /** Command that runs another one there; empty on the machine itself. */
  within: readonly string[];
}

/** A place of its own, whose cable can be pulled. */
export interface CutPlace extends Place {
  /** Drops every packet to it and from it, without a word to either side. */
  cut(): void;
  join(): void;
}

export interface Network {
  /** The machine itself, at an address that the other places reach. */
  readonly here: Place;
  /** Makes a place. @param name at most 8 characters */
  place(name: string): CutPlace;
  /** Removes everything; safe to call twice. */
  remove(): void;
}

const PREFIX = 'chaos';

/** Makes the network. It is removed at the end of this process too, and the next one removes that of a killed one. */
export function makeNetwork(): Network {
  ensureInstalled({ iproute2: '/usr/bin/ip' });
  if (process.getuid?.() !== 0) throw new Error('Network namespaces need root.');
  for (const { id } of leftOver()) removeAll(id);
  const id = process.pid;
  // A network for each process: several may run at the same time.
  const subnet = `10.${200 + ((id >> 8) % 50)}.${id % 256}`;
  const bridge = `cb${id}`;
  const remove = () => removeAll(id);
  process.once('exit', remove);
  const bytes = id.toString(16).padStart(8, '0').match(/../g)!;
  // An address of its own: a bridge without one takes another with each cable.
  ip('link', 'add', bridge, 'address', ['02', 'ca', ...bytes].join(':'), 'type', 'bridge');
  ip('address', 'add', `${subnet}.1/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  let places = 0;
  return {
    here: { address: `${subnet}.1`, within: [] },
    place(name) {
      const number = ++places;
      const space = `${PREFIX}-${id}-${name}`;
      const cable = `c${id}x${number}`;
      const address = `${subnet}.${10 + number}`;
      ip('netns', 'add', space);
      ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
      ip('link', 'set', cable, 'master', bridge, 'up');
      ip('-n', space, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      for (const device of ['lo', 'eth0']) ip('-n', space, 'link', 'set', device, 'up');
      // Their addresses stay known: otherwise the kernel would tell both sides after 3 seconds that nobody is there.
      const hardware = (...of: string[]) => /link\/ether (\S+)/.exec(ip(...of))![1]!;
      const known = ['lladdr', hardware('-n', space, 'link', 'show', 'eth0'), 'nud', 'permanent'];
      ip('neighbour', 'replace', address, 'dev', bridge, ...known);
      const here = ['lladdr', hardware('link', 'show', bridge), 'nud', 'permanent'];
      ip('-n', space, 'neighbour', 'replace', `${subnet}.1`, 'dev', 'eth0', ...here);
      const link = (state: 'up' | 'down') => ip('link', 'set', cable, state);
      return {
        address,
        within: ['ip', 'netns', 'exec', space],
        cut: () => link('down'),
        join: () => link('up'),
      };
    },
    remove,
  };
}

function ip(...args: string[]): string {
  return execFileSync('/usr/bin/ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Returns the namespaces of programs that are gone. */
function leftOver(): { id: number }[] {
  return spaces().filter(({ id }) => !existsSync(`/proc/${id}`));
}

function spaces(): { id: number; name: string }[] {
  return ip('netns', 'list')
    .split('\n')
    .flatMap((line) => {
      const [, name, id] = new RegExp(`^(${PREFIX}-(\\d+)-\\w+)`).exec(line) ?? [];
      return name === undefined ? [] : [{ name, id: Number(id) }];
    });
}

/** Removes the network of a process. A cable goes with its namespace. */
function removeAll(of: number): void {
  for (const { id, name } of spaces()) if (id === of) ip('netns', 'delete', name);
  if (existsSync(`/sys/class/net/cb${of}`)) ip('link', 'delete', `cb${of}`);
}
