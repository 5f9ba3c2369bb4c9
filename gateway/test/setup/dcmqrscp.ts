/** A real dcmqrscp of DCMTK on a free port, with its own empty storage. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { freePort } from './free-port.ts';

export interface Dcmqrscp {
  readonly port: number;
  /** Its application entity title. */
  readonly aet: string;
  stop(): Promise<void>;
}

/**
 * Starts dcmqrscp, which compares the host names of its peers. Call `stop()` in `afterAll`.
 * @param destinations ports of the C-MOVE destinations, by their titles
 * @param peers titles of `destinations` that may associate; by default any title
 */
export async function startDcmqrscp(
  destinations: Readonly<Record<string, number>>,
  peers?: readonly string[],
): Promise<Dcmqrscp> {
  const directory = await mkdtemp(join(tmpdir(), 'dcmqrscp-'));
  const [port, store, aet] = [await freePort(), join(directory, 'store'), 'QRSCP'];
  await mkdir(store);
  const hosts = Object.entries(destinations).map(([title, at]) => `${title} = (${title}, localhost, ${at})`);
  const configuration = join(directory, 'dcmqrscp.cfg');
  const lines = [
    `NetworkTCPPort = ${port}`,
    'MaxPDUSize = 16384',
    'MaxAssociations = 16',
    'HostTable BEGIN',
    ...hosts,
    ...(peers ? [`peers = ${peers.join(', ')}`] : []),
    'HostTable END',
    'VendorTable BEGIN',
    'VendorTable END',
    'AETable BEGIN',
    `${aet} ${store} RW (100, 1024mb) ${peers ? 'peers' : 'ANY'}`,
    'AETable END',
    '',
  ];
  await writeFile(configuration, lines.join('\n'));
  const child = await startChild('/usr/bin/dcmqrscp', ['-c', configuration], () => accepts(port));
  return {
    port,
    aet,
    async stop() {
      await child.end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Tells whether a server listens at a port. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => (socket.end(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
