/**
 * A stock gateway over what our own subgraphs answer. At first they answer it, and each answer is recorded; then the same
 * answers come from memory, as from subgraphs that cost nothing. So any document can be compared, and the answers are equal.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import type { GraphQLDataSourceProcessOptions } from '@apollo/gateway';
import type { Access } from '../../../schema/access/access.ts';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { localDataSource } from '../../federation/subgraphs/local-data-source.ts';
import type { GatewayContext } from '../../federation/request/request-scope.ts';
import type { ServiceName } from '../../federation/request/service-name.ts';
import { scopeOf, startSubgraphs } from '../../test/executor/servers.ts';
import { tenantsOf } from '../../test/gateway-alone.ts';
import { startChild, type Child } from '../../test/setup/child.ts';
import { freePort } from '../../test/setup/free-port.ts';
import { withoutSecurityPurpose } from '../../test/setup/security-purpose.ts';
import { serveAnswers } from './answer-server.ts';
import { answerOf, program, startStockGateway, type Peer } from './peer.ts';

const root = join(import.meta.dirname, '../../..');
const SERVICES = ['clinical', 'imaging'] as const satisfies readonly ServiceName[];

/** Answers by the request that got it, of each subgraph. */
export type Recordings = Record<ServiceName, Record<string, string>>;

export interface RecordedStock extends Peer {
  /** Number of requests to the subgraphs until now, while they are recorded. */
  fetches(): number;
  /** Forgets what was recorded, such as answers from before the images were indexed. */
  forget(): void;
  /** Ends our subgraphs: from now on the answers come from memory, and what was not recorded is an error. */
  replay(): Promise<void>;
  close(): Promise<void>;
}

export interface Recorded {
  /** For the files. */
  directory: string;
  /** Tenant file of the tenant `t`. */
  tenant: object;
  /** Of the caller of all requests. */
  access: Access;
  /** Of the gateway with which it is compared, for the addresses in the answers. */
  baseUrl: string;
}

/** Starts our subgraphs in this process, and a stock gateway over them in another. */
export async function startRecordedStock(recorded: Recorded): Promise<RecordedStock> {
  const { directory } = recorded;
  const ports = { clinical: await freePort(), imaging: await freePort() };
  const recorder = await startRecorder(recorded, ports);
  const supergraph = join(directory, 'recorded-supergraph.graphql');
  await writeFile(supergraph, supergraphOver(ports));
  const stock = await startStockGateway(supergraph);
  let replaying: Child | undefined;
  return {
    ...stock,
    fetches: () => recorder.fetches(),
    forget: () => recorder.forget(),
    async replay() {
      const file = join(directory, 'recordings.json');
      await writeFile(file, JSON.stringify(recorder.recordings));
      await recorder.close();
      replaying = await startChild(
        ...program('replayed-subgraphs', file, ports.clinical, ports.imaging),
        async () => (await answerOf(`http://127.0.0.1:${ports.imaging}/graphql`, '{ a }')).includes('errors'),
        60_000,
      );
    },
    async close() {
      await stock.child.end();
      await recorder.close();
      await replaying?.end();
    },
  };
}

/** Returns our supergraph with the addresses of these subgraphs. */
function supergraphOver(ports: Readonly<Record<ServiceName, number>>): string {
  const sdl = readFileSync(join(root, 'schema/supergraph.graphql'), 'utf8');
  return SERVICES.reduce(
    (text, name) => text.replace(`http://${name}.invalid/graphql`, `http://127.0.0.1:${ports[name]}/graphql`),
    withoutSecurityPurpose(sdl),
  );
}

async function startRecorder(
  { directory, tenant, access, baseUrl }: Recorded,
  ports: Readonly<Record<ServiceName, number>>,
) {
  const subgraphs = startSubgraphs(join(directory, 'recorded'), baseUrl);
  const [parsed] = tenantsOf({ t: tenant }).all;
  const recordings: Recordings = { clinical: {}, imaging: {} };
  let fetches = 0;
  const serve = (name: ServiceName): Promise<Server> => {
    const source = localDataSource(name, subgraphs[name]);
    return serveAnswers(ports[name], async (body) => {
      fetches++;
      const request = JSON.parse(body) as GraphQLDataSourceProcessOptions['request'];
      const context = { scope: scopeOf({ tenant: parsed!, access }, () => undefined) };
      const options = { request, context } as GraphQLDataSourceProcessOptions<GatewayContext>;
      const text = writeFhirJson(await source.process(options));
      recordings[name][body] = text;
      return Buffer.from(text);
    });
  };
  const servers = await Promise.all(SERVICES.map(serve));
  let closed: Promise<unknown> | undefined;
  const end = async () => {
    for (const server of servers) {
      const ended = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await ended;
    }
    await Promise.all(SERVICES.map((name) => subgraphs[name].close()));
  };
  return {
    recordings,
    fetches: () => fetches,
    forget() {
      fetches = 0;
      for (const name of SERVICES) recordings[name] = {};
    },
    close: () => (closed ??= end()),
  };
}
