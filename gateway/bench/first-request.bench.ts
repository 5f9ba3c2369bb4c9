/**
 * The request of the README, for the demonstration's patient with all instances of the studies: this commit and an old one
 * take turns, each over its own demonstration.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { alternate, type Figure } from './measure.ts';
import { oldCheckout } from './old-checkout.ts';
import { throughput } from './throughput.ts';
import { startWholeGateway, type WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = 7;
/** Requests of one round. */
const REQUESTS = 200;
const CONNECTIONS = 8;
/** Of the studies of the old demonstration; the present one has as many or more. */
const INSTANCES = 322;

/** The README of the old commit had it; fields of today's README that it did not have are left out. */
const BODY = JSON.stringify({
  query: `query Record($id: ID!) { Patient(id: $id) { name { given family } birthDate
    ConditionList { code { text } onsetDateTime } MedicationRequestList { status medicationCodeableConcept { text } }
    AllergyIntoleranceList { code { text } criticality }
    ObservationList(_count: 3) { code { coding { display } } effectiveDateTime valueQuantity { value unit } }
    DiagnosticReportList { status code { coding { display } } conclusion ImagingStudyList { id } }
    ImagingStudyList { id started description series { uid modality { code } description numberOfInstances
    instance { uid wadoUrl } } } } }`,
  variables: { id: DEMO_PATIENT },
});
const HEADERS = { 'content-type': 'application/json' };

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'first-request-'));
  const servers: WholeGateway[] = [];
  try {
    execFileSync(process.execPath, [join(root, 'gateway/build.mjs')], { stdio: 'inherit' });
    for (const [name, checkout] of [
      ['old', await oldCheckout()],
      ['new', root],
    ] as const)
      servers.push(await start(checkout, join(directory, name)));
    const [old, own] = servers as [WholeGateway, WholeGateway];
    const result = await alternate({ old: () => load(old), own: () => load(own) }, ROUNDS);
    return [
      { what: 'request of the README', value: result.own.median, unit: 'requests/s' },
      { what: '… old commit', value: result.old.median, unit: 'requests/s' },
      { what: '… beside the old commit', value: result.own.ratio, unit: '×', atLeast: 5 },
    ];
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(directory, { recursive: true, force: true });
  }
}

/** Starts a gateway with the tenant `open` of its demonstration, and waits for its images. */
async function start(checkout: string, directory: string): Promise<WholeGateway> {
  await mkdir(join(directory, 'tenants'), { recursive: true });
  const tenant = JSON.parse(await readFile(join(checkout, 'gateway/tenants/open.json'), 'utf8')) as {
    clinical: { path: string };
    $schema?: string;
  };
  delete tenant.$schema;
  tenant.clinical.path = join(checkout, 'gateway/demo/patients');
  await writeFile(join(directory, 'tenants/open.json'), JSON.stringify(tenant));
  const server = await startWholeGateway({ checkout, directory, name: 'data', timeout: 120_000 });
  for (let attempt = 0; (await instancesOf(server)) < INSTANCES; attempt++) {
    if (attempt > 300) throw new Error(`${checkout} does not have ${INSTANCES} instances of the patient.`);
    await sleep(200);
  }
  return server;
}

async function instancesOf({ origin }: WholeGateway): Promise<number> {
  const { body } = await request(`${origin}/open/graphql`, { method: 'POST', headers: HEADERS, body: BODY });
  const text = await body.text();
  return text.includes('"errors"') ? 0 : text.split('"wadoUrl"').length - 1;
}

/** @returns requests in a second */
function load({ origin }: WholeGateway): Promise<number> {
  return throughput(origin, { count: REQUESTS, connections: CONNECTIONS }, (connection) =>
    connection.send('/open/graphql', HEADERS, BODY),
  );
}
