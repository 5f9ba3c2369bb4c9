/** Other gateways, over the stub subgraphs. Those that are no part of the project are installed into a folder of their own. */
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild, type Child } from '../../test/setup/child.ts';
import { freePort } from '../../test/setup/free-port.ts';
import { answerOf, program, startPeer, startStockGateway, versionOf, type Peer } from './peer.ts';
import { STUB_SUBGRAPHS, type PatientAnswers } from './stub-data.ts';

const root = join(import.meta.dirname, '../../..');
/** Kept between runs: it has 600 MB. */
const INSTALLED = join(root, 'node_modules/.cache/bench-peers');
const PACKAGES = {
  hive: ['@graphql-hive/gateway', '2.15.1'],
  grafbase: ['@grafbase/cli-x86_64-unknown-linux-musl', '0.103.0'],
} as const;

/** The subgraphs, and the peers over them. Whoever starts them ends all of `children`. */
export interface Peers {
  all: readonly Peer[];
  children: readonly Child[];
}

/** Installs what is missing. @returns the folder with `node_modules` */
async function installPeers(): Promise<string> {
  const missing = Object.values(PACKAGES).filter(
    ([name]) => !existsSync(join(INSTALLED, 'node_modules', name, 'package.json')),
  );
  if (missing.length === 0) return INSTALLED;
  await mkdir(INSTALLED, { recursive: true });
  await writeFile(join(INSTALLED, 'package.json'), '{ "private": true }');
  const packages = Object.values(PACKAGES).map(([name, version]) => `${name}@${version}`);
  process.stdout.write(`Installing ${packages.join(' and ')}.\n`);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', ...packages], {
    cwd: INSTALLED,
    stdio: 'ignore',
  });
  return INSTALLED;
}

/**
 * Starts the stub subgraphs and the peers.
 * @param directory for their files
 * @param patients what the subgraphs answer
 */
export async function startPeers(directory: string, patients: PatientAnswers): Promise<Peers> {
  const installed = await installPeers();
  const file = (name: string) => join(directory, name);
  const ports = { clinical: await freePort(), imaging: await freePort() };
  const urlOf = (name: keyof typeof ports) => `http://127.0.0.1:${ports[name]}/graphql`;
  const [first] = Object.keys(patients);
  await writeFile(file('patients.json'), JSON.stringify(patients));
  const stubs = await startChild(
    ...program('stub-subgraphs', file('patients.json'), ports.clinical, ports.imaging),
    async () => (await answerOf(urlOf('imaging'), `{ "${first}" }`)).includes('_entities'),
  );
  await writeFile(file('supergraph.graphql'), composed(urlOf));
  const children = [stubs];
  const start = async (...peer: Parameters<typeof startPeer>): Promise<Peer> => {
    const started = await startPeer(...peer);
    children.push(started.child);
    return started;
  };
  const stock = await startStockGateway(file('supergraph.graphql'));
  children.push(stock.child);
  const hive = await start('@graphql-hive/gateway', await versionOf(installed, PACKAGES.hive[0]), (port) => [
    join(installed, 'node_modules/.bin/hive-gateway'),
    ['supergraph', file('supergraph.graphql'), '--port', String(port), '--host', '127.0.0.1'],
  ]);
  await writeFile(file('grafbase.toml'), await grafbaseConfiguration(directory, urlOf));
  const grafbase = await start('Grafbase', await versionOf(installed, PACKAGES.grafbase[0]), (port) => [
    join(installed, 'node_modules', PACKAGES.grafbase[0], 'grafbase'),
    ['--home', directory, 'dev', '-c', file('grafbase.toml'), '--listen-address', `127.0.0.1:${port}`],
  ]);
  return { all: [stock, hive, grafbase], children };
}

type Names = keyof typeof STUB_SUBGRAPHS;

function composed(urlOf: (name: Names) => string): string {
  const { supergraphSdl, errors } = composeServices(
    (Object.keys(STUB_SUBGRAPHS) as Names[]).map((name) => ({
      name,
      url: urlOf(name),
      typeDefs: parse(STUB_SUBGRAPHS[name]),
    })),
  );
  if (supergraphSdl === undefined) throw new Error(String(errors));
  return supergraphSdl;
}

async function grafbaseConfiguration(directory: string, urlOf: (name: Names) => string): Promise<string> {
  const parts = (Object.keys(STUB_SUBGRAPHS) as Names[]).map(async (name) => {
    const schema = join(directory, `${name}.graphql`);
    await writeFile(schema, STUB_SUBGRAPHS[name]);
    return `[subgraphs.${name}]\nurl = "${urlOf(name)}"\nschema_path = "${schema}"\n`;
  });
  return (await Promise.all(parts)).join('\n');
}
