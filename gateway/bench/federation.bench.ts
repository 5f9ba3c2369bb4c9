/** The federated request in process: patient, 5 clinical lists, 10 studies × 3 series, on the embedded store. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTestGateway, type TestGateway } from '../test/test-gateway.ts';
import { writePatients } from './data/large-patient.ts';
import { duration, median, type Figure } from './measure.ts';

const IMAGES = 'ImagingStudyList { id started description series { uid modality { code } description } }';
const CONDITIONS = 'ConditionList { id code { text } onsetDateTime }';
const QUERY = `{ Patient(id: "p1") { id birthDate name { family given } ${CONDITIONS}
  MedicationRequestList { id status medicationCodeableConcept { text } }
  AllergyIntoleranceList { id code { text } criticality }
  ObservationList { id code { text } valueQuantity { value unit } }
  DiagnosticReportList { id status code { text } conclusion }
  ${IMAGES} } }`;
const ROUNDS = 300;
/** Milliseconds until the compiler has optimized the code. */
const WARM_UP = 3000;

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'federation-'));
  let gateway: TestGateway | undefined;
  try {
    gateway = await buildTestGateway(
      ({ images, patients }) => ({
        t: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          clinical: { type: 'store', path: patients },
          images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
        },
      }),
      await writePatients(directory),
    );
    const figures: Figure[] = [];
    const parts: [string, string, number?][] = [
      ['the whole', QUERY, 6],
      ['patient only', '{ Patient(id: "p1") { id } }'],
      ['one clinical list', `{ Patient(id: "p1") { ${CONDITIONS} } }`],
      ['studies only', `{ Patient(id: "p1") { ${IMAGES} } }`],
    ];
    for (const [what, query, atMost] of parts) {
      const times = await measure(gateway, query);
      figures.push({
        what: `federated request, ${what}, p50`,
        value: median(times),
        unit: 'ms',
        ...(atMost && { atMost }),
      });
    }
    return figures;
  } finally {
    await gateway?.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure({ app }: TestGateway, query: string): Promise<number[]> {
  const ask = async () => {
    const { body } = await app.inject({ method: 'POST', url: '/t/graphql', payload: { query } });
    if (body.includes('"errors"')) throw new Error(body.slice(0, 500));
    return body;
  };
  if (query === QUERY && (JSON.parse(await ask()) as Whole).data.Patient.ImagingStudyList.length !== 10) {
    throw new Error('there should be ten studies');
  }
  const warm = performance.now() + WARM_UP;
  while (performance.now() < warm) await ask();
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) times.push(await duration(ask));
  return times;
}

interface Whole {
  data: { Patient: { ImagingStudyList: unknown[] } };
}
