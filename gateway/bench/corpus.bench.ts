/**
 * Documents of the corpus through this gateway and through a stock one, of which each answers the same: documents by hand and
 * generated ones, of one patient's record and images. This gateway runs as `npm start` runs it, with token check, limits,
 * audit and log; the stock one has subgraphs that answer from memory. `DOCUMENTS`, `ROUNDS` and `SECONDS` change how long it
 * takes, `SEED` which documents are chosen.
 */
import { buildSchema, isUnionType } from 'graphql';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authorizationServer, type AuthorizationServer } from '../test/authorization-server.ts';
import { generated, handWritten, type CorpusDocument } from '../test/executor/corpus.ts';
import { accessTo, writeCorpus } from '../test/executor/record.ts';
import { Random } from '../test/setup/random.ts';
import { sharedDataPresent } from '../test/setup/shared-data.ts';
import { buildProduct } from './built-server.ts';
import { giveToken, tenantOver, writeTenant, type Posted } from './distinct-patients.ts';
import { byKind, evenSample } from './even-sample.ts';
import { alternate, median, type Figure } from './measure.ts';
import { answeredBy, isSameAnswer, requireSameAnswers, untilAnswered } from './peers/same-answers.ts';
import { startRecordedStock, type RecordedStock } from './peers/recorded-subgraphs.ts';
import { writeScript, wrk } from './peers/wrk.ts';
import { startWholeGateway, type WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
const SECONDS = Number(process.env['SECONDS'] ?? 1);
const DOCUMENTS = Number(process.env['DOCUMENTS'] ?? 40);
const SEED = Number(process.env['SEED'] ?? 1);
/** Few: the slowest documents take long, and wrk must see some of their answers. */
const CONNECTIONS = 8;
/** Generated documents from which some are chosen. */
const GENERATED = 300;
const HEADERS = { authorization: 'Bearer corpus', 'content-type': 'application/json' };

/** The gateways, and the patient whose token all requests have. */
interface Running {
  directory: string;
  ours: WholeGateway;
  stock: RecordedStock;
  documents: readonly CorpusDocument[];
}

/** A document that both gateways answer alike. */
interface Comparable extends Posted {
  what: string;
  kind: string;
}

/** Answers in a second. */
interface Speed {
  ours: number;
  stock: number;
  /** Of ours to the stock gateway's, of the same rounds. */
  ratio: number;
}

export async function bench(): Promise<Figure[]> {
  if (!sharedDataPresent) {
    process.stdout.write('The shared test data are missing.\n');
    return [];
  }
  const directory = await mkdtemp(join(tmpdir(), 'corpus-bench-'));
  const ehr = await authorizationServer();
  const started: Partial<Running> = {};
  try {
    const running = await start(directory, ehr, started);
    const comparable = await comparableOf(running);
    const random = new Random(SEED);
    const chosen = evenSample(comparable, ({ kind }) => kind, { count: DOCUMENTS, random });
    // Of a slow document this tells whether the gateway or the subgraphs make it slow.
    const overOurs = await speedsOf(running, chosen, 1);
    await running.stock.replay();
    await requireSameAnswers(urlsOf(running), chosen);
    const overMemory = await speedsOf(running, chosen, ROUNDS);
    // An error under load is no answer at all.
    await requireSameAnswers(urlsOf(running), chosen);
    return figuresOf(overMemory, overOurs);
  } finally {
    await Promise.all([started.ours?.stop(), started.stock?.close(), ehr.close()]);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Starts the gateways over the corpus. @param started gets each that has to be ended, also when another fails */
async function start(
  directory: string,
  ehr: AuthorizationServer,
  started: Partial<Running>,
): Promise<Running> {
  const { patients, data, elements } = await writeCorpus(directory);
  const [patient, other] = patients;
  await writeTenant(directory, data, ehr);
  giveToken(ehr, 'corpus', patient);
  buildProduct();
  const ours = await startWholeGateway({ checkout: root, directory, name: 'ours', status: 200 });
  started.ours = ours;
  const stock = await startRecordedStock({
    ...{ directory, baseUrl: ours.origin, access: accessTo([patient], 'patient/*.rs') },
    tenant: tenantOver(data, { type: 'mock', disableAuthzChecks: true }),
  });
  started.stock = stock;
  const studies = { headers: HEADERS, body: JSON.stringify({ query: '{ ImagingStudyList { id } }' }) };
  for (const url of urlsOf({ ours, stock })) await untilAnswered(url, studies, '1.2.3.1.10"');
  stock.forget();
  const schema = buildSchema(readFileSync(join(root, 'schema/api.graphql'), 'utf8'), { assumeValid: true });
  const union = schema.getType('ResourceUnion');
  const members = isUnionType(union) ? union.getTypes().map(({ name }) => name) : [];
  const asker = {
    ...{ patient: patient.id, other: other.id, own: 'p1' },
    ids: patient.ids,
    elements,
    members,
  };
  const documents = [...handWritten(asker), ...generated(schema, asker, [0, GENERATED])];
  // The others are about scopes, or about an archive that does not answer.
  return { directory, ours, stock, documents: documents.filter(({ isHalved }) => !isHalved) };
}

const urlsOf = ({ ours, stock }: Pick<Running, 'ours' | 'stock'>): [ours: string, stock: string] => [
  `${ours.origin}/t/graphql`,
  stock.url,
];

/**
 * Returns the documents with the same answer, and tells which have another one. They are few: our gateway refuses some as too
 * costly, and the stock one names other places for some errors and reads some numbers otherwise.
 */
async function comparableOf(running: Running): Promise<Comparable[]> {
  const { stock, documents } = running;
  const found: Comparable[] = [];
  const left: string[] = [];
  for (const { what, query, variables, isGenerated } of documents) {
    const posted = { headers: HEADERS, body: JSON.stringify({ query, variables }) };
    const before = stock.fetches();
    const [ours, theirs] = urlsOf(running);
    const other = await answeredBy(theirs, posted);
    const own = await answeredBy(ours, posted);
    if (!isSameAnswer(own, other)) {
      left.push(what);
      continue;
    }
    const kind = [
      isGenerated ? 'generated' : 'by hand',
      stock.fetches() - before > 1 ? 'several fetches' : 'at most one fetch',
      own.errors > 0 ? 'with errors' : 'without errors',
    ];
    found.push({ ...posted, what, kind: kind.join(', ') });
  }
  const say = `${found.length} documents have the same answer. Others are left out: ${left.join(', ')}.`;
  if (left.length > documents.length / 20) throw new Error(say);
  process.stdout.write(`${say}\n`);
  return found;
}

/** Measures each document; each is a request of its own that all connections repeat. */
async function speedsOf(
  running: Running,
  chosen: readonly Comparable[],
  rounds: number,
): Promise<Map<Comparable, Speed>> {
  const [ours, stock] = urlsOf(running);
  const load = { seconds: SECONDS, connections: CONNECTIONS };
  const speeds = new Map<Comparable, Speed>();
  for (const document of chosen) {
    const script = await writeScript(join(running.directory, 'document.lua'), [document]);
    const perSecond = async (url: string) => (await wrk(url, script, load)).perSecond;
    const result = await alternate({ stock: () => perSecond(stock), ours: () => perSecond(ours) }, rounds);
    speeds.set(document, {
      ...{ ours: result.ours.median, stock: result.stock.median, ratio: result.ours.ratio },
    });
  }
  return speeds;
}

function figuresOf(
  overMemory: ReadonlyMap<Comparable, Speed>,
  overOurs: ReadonlyMap<Comparable, Speed>,
): Figure[] {
  const sorted = [...overMemory].sort(([, one], [, other]) => one.ratio - other.ratio);
  for (const [document, { ours, stock, ratio }] of sorted.slice(0, 5)) {
    const { what, kind, body } = document;
    const over = overOurs.get(document)!.ratio;
    process.stdout.write(
      `${ratio.toFixed(2)} × (${ours} beside ${stock} in a second; ${over.toFixed(2)} × over the same subgraphs) ` +
        `for “${what}”, ${kind}: ${body.slice(0, 300)}\n`,
    );
  }
  const [[slowest, lowest]] = sorted as [[Comparable, Speed]];
  const medianOf = (some: Iterable<readonly [Comparable, Speed]>) =>
    median([...some].map(([, { ratio }]) => ratio));
  const lowestOverOurs = Math.min(...[...overOurs.values()].map(({ ratio }) => ratio));
  return [
    {
      what: 'documents of the corpus beside stock @apollo/gateway, median',
      value: medianOf(sorted),
      unit: '×',
    },
    {
      what: `… the slowest of ${sorted.length}: ${slowest.what}`,
      value: lowest.ratio,
      unit: '×',
      atLeast: 3,
    },
    ...[...byKind(sorted, ([{ kind }]) => kind)].map(([kind, some]) => ({
      what: `… ${kind}: the median of ${some.length}`,
      ...{ value: medianOf(some), unit: '×' },
    })),
    { what: '… both over our own subgraphs, median', value: medianOf(overOurs), unit: '×' },
    { what: '… both over our own subgraphs, the slowest', value: lowestOverOurs, unit: '×' },
  ];
}
