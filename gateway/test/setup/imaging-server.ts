/** The imaging subgraph in a process of its own, for benchmarks and for tests of what it withstands. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface ImagingServer {
  address: string;
  pid: number;
  /** MB, and how late the event loop was in milliseconds, p99; `peak` and `delay` since it was asked last. */
  memory(): Promise<{ rss: number; peak: number; delay: number }>;
  stop(): void;
}

const source = ['--import', 'tsx', join(import.meta.dirname, 'imaging-server.child.ts')];

/**
 * Starts it.
 * @param images of a tenant called `bench`, which anybody may read
 * @param script arguments of Node that name what is run (default: the source)
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
