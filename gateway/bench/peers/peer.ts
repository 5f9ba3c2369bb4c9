/** A gateway that is not ours, in a process of its own. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { startChild, type Child } from '../../test/setup/child.ts';
import { freePort } from '../../test/setup/free-port.ts';

const root = join(import.meta.dirname, '../../..');

export interface Peer {
  name: string;
  version: string;
  /** Takes GraphQL by POST. */
  url: string;
  child: Child;
}

/** Starts a gateway and waits until it answers. @param command for the port on which it listens */
export async function startPeer(
  name: string,
  version: string,
  command: (port: number) => [string, string[]],
): Promise<Peer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/graphql`;
  const isReady = async () => (await answerOf(url, '{ __typename }')).includes('Query');
  const child = await startChild(...command(port), isReady, 60_000);
  return { name, version, url, child };
}

/** Starts Apollo Server with `@apollo/gateway`. @param supergraph file */
export async function startStockGateway(supergraph: string): Promise<Peer> {
  return startPeer('stock @apollo/gateway', await versionOf(root, '@apollo/gateway'), (port) =>
    program('stock-gateway', supergraph, port),
  );
}

/** Returns the command of a program of this folder, in TypeScript. */
export function program(name: string, ...args: (string | number)[]): [string, string[]] {
  const script = join(import.meta.dirname, `${name}.child.ts`);
  return [process.execPath, ['--import', 'tsx', script, ...args.map(String)]];
}

/** Sends a query. @returns the body of the answer */
export async function answerOf(url: string, query: string): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const { body } = await request(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
  return body.text();
}

/** Returns the version of a package. @param folder has `node_modules` */
export async function versionOf(folder: string, name: string): Promise<string> {
  const text = await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
