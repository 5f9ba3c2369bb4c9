/** The imaging subgraph in a separate process, for benchmarks and for tests of load. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface ImagingServer {
  address: string;
  pid: number;
  /** Memory in MB, and the delay of the event loop in milliseconds, p99; `peak` and `delay` since the call before. */
  memory(): Promise<{ rss: number; peak: number; delay: number }>;
  stop(): void;
}

const source = ['--import', 'tsx', join(import.meta.dirname, 'imaging-server.child.ts')];

/**
 * Starts the server.
 * @param images of a tenant called `bench`, open to everybody
 * @param script arguments of Node that name the program (default: the source)
 */
export async function startServer(images: object, dataDir: string, script = source): Promise<ImagingServer> {
  const child: ChildProcess = spawn(process.execPath, [...script, JSON.stringify(images), dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const line = async () => String((await lines.next()).value);
  return {
    address: await line(),
    pid: child.pid!,
    async memory() {
      child.stdin!.write('\n');
      return JSON.parse(await line()) as { rss: number; peak: number; delay: number };
    },
    stop: () => void child.kill(),
  };
}
