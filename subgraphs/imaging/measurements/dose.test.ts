/** Radiation dose reports (FG-18): TID 10011 (CT) and TID 10001 (projection X-ray). */
import { expect, test } from 'vitest';
import {
  coded,
  container,
  moment,
  num,
  srJson,
  texted,
  uidref,
} from '../../../gateway/test/setup/sr-objects.ts';
import { decimalText } from '../../../schema/fhir/decimal.ts';
import { withNumericValues } from '../dicom/numeric-value.ts';
import { readReports } from './report-task.ts';

const MGY = 'UCUM mGy mGy';
const MGYCM = 'UCUM mGy.cm mGy.cm';
const GYM2 = 'UCUM Gy.m2 Gy.m2';

function doses(...children: ReturnType<typeof container>[]) {
  const report = srJson({
    studyUid: '1.2.3',
    patientId: 'P',
    title: 'DCM 113701 X-Ray Radiation Dose Report',
    children,
    more: [{ tag: 0x00080201, vr: 'SH', value: '+0100' }],
  });
  const found = readReports({
    json: new Uint8Array(Buffer.from(withNumericValues(JSON.stringify([report])))),
  });
  expect(found.observations).toEqual([]);
  return found.doses;
}

const acquisition = (uid: string, ...children: ReturnType<typeof container>[]) =>
  container('DCM 113819 CT Acquisition', uidref('DCM 113769 Irradiation Event UID', uid), ...children);

test('FG-18 a CT dose report has its totals, and CTDIvol and DLP of each event', () => {
  const [dose, ...others] = doses(
    container(
      'DCM 113811 CT Accumulated Dose Data',
      num('DCM 113812 Total Number of Irradiation Events', '2', 'UCUM {events} events'),
      num('DCM 113813 CT Dose Length Product Total', '412.7', MGYCM),
    ),
    acquisition('1.2.3.1', coded('DCM 113820 CT Acquisition Type', 'DCM 113805 Constant Angle Acquisition')),
    acquisition(
      '1.2.3.2',
      coded('DCM 113820 CT Acquisition Type', 'SCT 116152004 Spiral Acquisition'),
      coded('DCM 123014 Target Region', 'SCT 51185008 Chest'),
      texted('DCM 125203 Acquisition Protocol', 'Chest low dose'),
      moment('DCM 111526 DateTime Started', '20260110101500'),
      container(
        'DCM 113829 CT Dose',
        num('DCM 113830 Mean CTDIvol', '10.2', MGY),
        coded('DCM 113835 CTDIw Phantom Type', 'DCM 113691 IEC Body Dosimetry Phantom'),
        num('DCM 113838 DLP', '412.7', MGYCM),
      ),
    ),
  );
  expect(others).toEqual([]);
  expect(dose).toMatchObject({
    report: '1.2.3.9.1',
    status: 'final',
    totals: [{ numberOfEvents: 2, doseLengthProduct: { value: 412.7, code: 'mGy.cm' }, notes: [] }],
    events: [
      { uid: '1.2.3.1', type: { text: 'Constant Angle Acquisition' }, notes: [] },
      {
        uid: '1.2.3.2',
        type: { text: 'Spiral Acquisition' },
        targetRegion: { text: 'Chest' },
        protocol: 'Chest low dose',
        started: '2026-01-10T10:15:00+01:00',
        ctdiVol: { value: 10.2, code: 'mGy' },
        phantom: { text: 'IEC Body Dosimetry Phantom' },
        doseLengthProduct: { value: 412.7, code: 'mGy.cm' },
        notes: [],
      },
    ],
  });
  expect(dose!.events[0]).not.toHaveProperty('ctdiVol');
});

test('FG-18 a projection dose report has dose area product and fluoroscopy time, for each plane', () => {
  const plane = (code: string, product: string) =>
    container(
      'DCM 113702 Accumulated X-Ray Dose Data',
      coded('DCM 113764 Acquisition Plane', code, { as: 'HAS CONCEPT MOD' }),
      num('DCM 113722 Dose Area Product Total', product, GYM2),
      num('DCM 113725 Dose (RP) Total', '0.3', 'UCUM Gy Gy'),
      num('DCM 113730 Total Fluoro Time', '185', 'UCUM s seconds'),
    );
  const [dose] = doses(
    plane('DCM 113620 Plane A', '0.0021'),
    plane('DCM 113621 Plane B', '0.0014'),
    container(
      'DCM 113706 Irradiation Event X-Ray Data',
      uidref('DCM 113769 Irradiation Event UID', '1.2.3.5'),
      coded('DCM 113721 Irradiation Event Type', 'SCT 44491008 Fluoroscopy'),
      num('DCM 122130 Dose Area Product', '0.0002', GYM2),
    ),
  );
  expect(dose!.totals).toMatchObject([
    {
      plane: { text: 'Plane A' },
      doseAreaProduct: { value: 0.0021, code: 'Gy.m2' },
      referencePointDose: { value: 0.3 },
      fluoroTime: { value: 185, code: 's' },
    },
    { plane: { text: 'Plane B' }, doseAreaProduct: { value: 0.0014 } },
  ]);
  expect(dose!.events).toMatchObject([{ uid: '1.2.3.5', doseAreaProduct: { value: 0.0002 } }]);
});

test('FG-18 a dose without units, and doses that contradict each other, are notes and no numbers', () => {
  const [dose] = doses(
    acquisition('1.2.3.1', num('DCM 113830 Mean CTDIvol', '10.2', undefined)),
    acquisition(
      '1.2.3.2',
      num('DCM 113838 DLP', '100', MGYCM),
      container('DCM 113829 CT Dose', num('DCM 113838 DLP', '200', MGYCM)),
    ),
  );
  expect(dose!.events).toEqual([
    expect.objectContaining({ uid: '1.2.3.1', notes: ['Mean CTDIvol: 10.2'] }),
    expect.objectContaining({ uid: '1.2.3.2', notes: ['DLP: 100 mGy.cm', 'DLP: 200 mGy.cm'] }),
  ]);
  for (const event of dose!.events) {
    expect(event).not.toHaveProperty('ctdiVol');
    expect(event).not.toHaveProperty('doseLengthProduct');
  }
});

test('FG-4 FG-18 a dose keeps its zeros, and 100.0 is no other dose than 100', () => {
  const [dose] = doses(
    acquisition('1.2.3.1', num('DCM 113830 Mean CTDIvol', '10.20', MGY)),
    acquisition('1.2.3.2', num('DCM 113838 DLP', '100.0', MGYCM), num('DCM 113838 DLP', '100', MGYCM)),
    acquisition('1.2.3.3', num('DCM 113838 DLP', '1.0', MGYCM), num('DCM 113838 DLP', '2.0', MGYCM)),
    acquisition('1.2.3.4', num('DCM 113838 DLP', '1.0', 'UCUM mGycm x')),
  );
  const [first, second, ...others] = dose!.events;
  expect(decimalText(first!.ctdiVol!.value)).toBe('10.20');
  expect(decimalText(second!.doseLengthProduct!.value)).toBe('100.0');
  expect(others.map(({ notes }) => notes)).toEqual([
    ['DLP: 1.0 mGy.cm', 'DLP: 2.0 mGy.cm'],
    ['DLP: 1.0 x (mGycm, UCUM)'],
  ]);
});
