/** The same two subgraphs behind each way to execute an operation: ours, and those of others that judge it. */
import { ApolloGateway, type GraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { buildSchema, getOperationAST, parse, print, type GraphQLFormattedError } from 'graphql';
import { readFileSync } from 'node:fs';
import type { Access } from '../../../schema/access/access.ts';
import type { Operation } from '../../../schema/access/audit.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { parseFhirJson, writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { subgraphSchema } from '../../../schema/graphql/subgraph-schema.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { RequestEnd } from '../../../schema/process/request-end.ts';
import { clinicalSubgraph } from '../../../subgraphs/clinical/app.ts';
import { imagingSubgraph } from '../../../subgraphs/imaging/app.ts';
import { CompiledExecution } from '../../federation/executor/compiled-execution.ts';
import { Operations } from '../../federation/executor/operations.ts';
import { compiledExecution } from '../../federation/apollo/plugin.ts';
import { WrittenData } from '../../federation/executor/written-data.ts';
import { formatError } from '../../federation/subgraphs/format-error.ts';
import { localDataSource, type LocalSubgraph } from '../../federation/subgraphs/local-data-source.ts';
import { PlanningGateway } from '../../federation/planning/planning-gateway.ts';
import { remoteDataSource, type RemoteSubgraph } from '../../federation/subgraphs/remote-data-source.ts';
import type { GatewayContext, RequestScope } from '../../federation/request/request-scope.ts';
import { FieldScopes } from '../../federation/scopes/field-scopes.ts';
import { reducedOperation } from '../../federation/scopes/reduced-operation.ts';
import type { ServiceName } from '../../federation/request/service-name.ts';
import { logger } from '../../http/logger.ts';
import { patientDirectory } from '../../joins/record-directory.ts';
import { recordStudies } from '../../joins/record-studies.ts';
import { fetchedText, fetchExecution } from '../../split/fetch-answers.ts';
import { tenantsOf } from '../gateway-alone.ts';
import { withoutSecurityPurpose } from '../setup/security-purpose.ts';
import type { DemoData } from '../test-gateway.ts';
import { stitchedMonolith } from './stitched.ts';

const log = logger('silent');
const sdl = (name: string) => readFileSync(new URL(`../../../schema/${name}.graphql`, import.meta.url));
const API = buildSchema(sdl('api').toString(), { assumeValid: true });
/** Fields of one answer, as in a gateway with default limits. */
const FIELDS = 50_000;

/** A request, and who sends it. */
export interface Asked {
  query: string;
  variables?: Readonly<Record<string, unknown>> | undefined;
  access: Access;
  tenant: Tenant;
}

export interface Answered {
  /** JSON of the member `data`. */
  data: string;
  errors: readonly GraphQLFormattedError[];
  /** The audit records as JSON, each once, sorted. */
  recorded: readonly string[];
  /** Requests to the subgraphs that a plan made. */
  fetches: number;
}

type Ask = (asked: Asked) => Promise<Answered>;

export interface ExecutorServers {
  /** Our compiled execution. */
  compiled: Ask;
  /** The same over subgraphs that are other processes: with fetches, whose answers are JSON. */
  split: Ask;
  /** Our gateway without it: Apollo's planner and executor. */
  planned: Ask;
  /** The same over subgraphs that are other processes. */
  plannedSplit: Ask;
  /** A stock ApolloGateway; like the next one it is asked for what the scopes cover. */
  stock: Ask;
  /** One schema, stitched by a library that is not Apollo's. */
  stitched: Ask;
  /** Subgraphs whose process is away, of `split` and `plannedSplit`. */
  away: Set<ServiceName>;
  close(): Promise<void>;
}

/** Starts the subgraphs and all servers over them. @param dataDir for the files of the subgraphs */
export async function executorServers(dataDir: string): Promise<ExecutorServers> {
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true';
  const subgraphs = startSubgraphs(dataDir);
  let fetches = 0;
  const counted = (name: ServiceName): GraphQLDataSource<GatewayContext> => {
    const source = localDataSource(name, subgraphs[name]);
    return { process: (options) => (fetches++, source.process(options)) };
  };
  const services = { clinical: counted('clinical'), imaging: counted('imaging') };
  const supergraphSdl = sdl('supergraph').toString();
  const scopes = new FieldScopes(supergraphSdl);
  const texts = { supergraphSdl: sdl('supergraph'), apiSdl: sdl('api') };
  const operations = () => new Operations(scopes);
  const gateway = () => new PlanningGateway({ ...texts, services, operations: operations() });
  const compiled = new ApolloServer<GatewayContext>({
    gateway: gateway(),
    formatError,
    plugins: [compiledExecution(new CompiledExecution(subgraphs, { fields: FIELDS }), operations())],
  });
  const away = new Set<ServiceName>();
  const processes = remote(subgraphs, (name) => {
    fetches++;
    if (away.has(name)) throw new Fault('unavailable', `${name} is away.`, { service: name, retryAfter: 2 });
  });
  const split = new ApolloServer<GatewayContext>({
    gateway: gateway(),
    formatError,
    plugins: [compiledExecution(new CompiledExecution(processes, { fields: FIELDS }), operations())],
  });
  const remoteServices = {
    clinical: remoteDataSource('clinical', processes.clinical),
    imaging: remoteDataSource('imaging', processes.imaging),
  };
  const plannedSplit = new ApolloServer<GatewayContext>({
    gateway: new PlanningGateway({ ...texts, services: remoteServices, operations: operations() }),
    formatError,
  });
  const planned = new ApolloServer<GatewayContext>({ gateway: gateway(), formatError });
  // A reduced operation has variables and fragments that nothing uses.
  const reducible = { formatError, dangerouslyDisableValidation: true };
  const stock = new ApolloServer<GatewayContext>({
    ...reducible,
    gateway: new ApolloGateway({
      supergraphSdl: withoutSecurityPurpose(supergraphSdl),
      logger: log,
      buildService: ({ name }) => services[name as ServiceName],
    }),
  });
  const stitched = new ApolloServer<GatewayContext>({
    ...reducible,
    schema: stitchedMonolith(supergraphSdl, services),
  });
  const servers = [compiled, split, planned, plannedSplit, stock, stitched];
  await Promise.all(servers.map((server) => server.start()));
  const ask =
    (server: ApolloServer<GatewayContext>, reducing?: FieldScopes): Ask =>
    async (asked) => {
      const before = fetches;
      return { ...(await answerOf(server, asked, reducing)), fetches: fetches - before };
    };
  return {
    compiled: ask(compiled),
    split: ask(split),
    away,
    planned: ask(planned),
    plannedSplit: ask(plannedSplit),
    stock: ask(stock, scopes),
    stitched: ask(stitched, scopes),
    async close() {
      await Promise.all(servers.map((server) => server.stop()));
      await Promise.all([subgraphs.clinical.close(), subgraphs.imaging.close()]);
    },
  };
}

/** Returns the subgraphs as another process sees them: schemas without resolvers, and answers in JSON. */
function remote(
  subgraphs: Readonly<Record<ServiceName, LocalSubgraph>>,
  onFetch: (name: ServiceName) => void,
): Record<ServiceName, RemoteSubgraph> {
  const subgraph = (name: ServiceName): RemoteSubgraph => {
    const execute = fetchExecution(name, subgraphs[name]);
    return {
      schema: subgraphSchema(sdl(name), () => ({})),
      async fetch(scope, asked) {
        onFetch(name);
        const own = { ...scope, cores: new Map(), budget: new AnswerBudget(FIELDS) };
        const sent = JSON.parse(JSON.stringify(asked)) as typeof asked;
        return parseFhirJson(fetchedText(await execute(own, { ...sent }), {})) as object;
      },
    };
  };
  return { clinical: subgraph('clinical'), imaging: subgraph('imaging') };
}

/** Starts our subgraphs. @param dataDir for their files @param baseUrl of the addresses in their answers */
export function startSubgraphs(dataDir: string, baseUrl = 'http://localhost') {
  const clinical = clinicalSubgraph({
    dataDir,
    baseUrl,
    loadWait: 30_000,
    studyImages: (...request) => imaging.studyImages(...request),
  });
  const imaging: ReturnType<typeof imagingSubgraph> = imagingSubgraph({
    baseUrl,
    dataDir,
    now: () => Date.now() / 1000,
    log: log as never,
    directory: patientDirectory((tenant, access) => clinical.open(tenant, access)),
    recordStudies: recordStudies((tenant, access) => clinical.open(tenant, access), clinical.mayHold),
  });
  return { clinical, imaging };
}

async function answerOf(
  server: ApolloServer<GatewayContext>,
  { query, variables, access, tenant }: Asked,
  scopes?: FieldScopes,
): Promise<Omit<Answered, 'fetches'>> {
  const recorded = new Set<string>();
  const scope = scopeOf({ tenant, access }, (operation) => void recorded.add(JSON.stringify(operation)));
  const reduced = scopes && reducedFor({ query, variables, access, tenant }, scopes);
  const request = { query: reduced ? print(reduced.document) : query, ...(variables && { variables }) };
  const { body } = await server.executeOperation(request, { contextValue: { scope } });
  if (body.kind !== 'single') throw new Error('The answer is in parts.');
  const { data = null } = body.singleResult;
  const refused = (reduced?.refuse(data, scope) ?? []).map((error) => formatError(error.toJSON(), error));
  const errors = [...(body.singleResult.errors ?? []), ...refused];
  // Written data are compared as they are sent.
  const text =
    (data as unknown) instanceof WrittenData ? (data as unknown as WrittenData).text : writeFhirJson(data);
  return { data: text, errors, recorded: [...recorded].sort() };
}

/** Returns the scope of a request to the subgraphs. @param audit takes what it reads */
export function scopeOf(
  { tenant, access }: Pick<Asked, 'tenant' | 'access'>,
  audit: (operation: Operation) => void,
): RequestScope {
  return {
    tenant,
    access: { ...access },
    log,
    fhir: false,
    cores: new Map(),
    over: new RequestEnd(),
    budget: new AnswerBudget(FIELDS),
    audit,
  };
}

/** Returns an operation without the fields that the scopes do not cover, for servers that know of no scopes. */
function reducedFor({ query, variables = {}, access }: Asked, scopes: FieldScopes) {
  const document = parse(query);
  const operation = getOperationAST(document)!;
  const refusals = scopes.refusals(scopes.needs({ document, schema: API }), access);
  return refusals && reducedOperation({ schema: API, document, operation, variables }, refusals);
}

/** Returns a tenant over records and images in folders, and the same with a second archive, which does not answer. */
export function wholeAndHalved(data: DemoData): [whole: Tenant, halved: Tenant] {
  const folder = { type: 'folder', path: data.images, lookup: 'studies-by-mrn' };
  const away = { type: 'dicom-web', endpoint: 'http://127.0.0.1:1/', lookup: 'studies-by-mrn' };
  const file = (images: object) => ({
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: data.patients },
    images,
  });
  return tenantsOf({ t: file(folder), u: file([folder, away]) }).all as [Tenant, Tenant];
}
