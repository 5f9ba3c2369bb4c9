/** Searches of studies that lead into the record: chains, `_include`, `_revinclude`; and the reach of the caller (FG-9). */
import { describe, expect, test } from 'vitest';
import type { JoinedType } from '../../../schema/fhir/joined-types.ts';
import { CASES, STUDY } from './cases.ts';
import { belonging, ids, joinedGateway, studyNames, uidsOf } from './joined-gateway.ts';

const gateway = joinedGateway();

describe('FG-9 REST: chains', () => {
  test.each<[query: string, matches: string[]]>([
    ['basedon.identifier=ACC-2', studyNames('shared', 'alsoShared')],
    ['basedon._id=order', studyNames('issued', 'byOrder')],
    ['basedon:ServiceRequest._id=order,order-named', studyNames('issued', 'plain', 'byOrder')],
    ['basedon.status=revoked', []],
    ['basedon.encounter=Encounter/visit', studyNames('issued')],
    ['basedon.patient.birthdate=1980', studyNames('bobs', 'ofBob')],
    ['basedon.patient.birthdate=1980&patient=Patient/ana', []],
    ['encounter.class=AMB&encounter._id=visit', studyNames('issued', 'plain')],
    ['encounter=visit', studyNames('issued', 'plain')],
    ['encounter:Encounter=visit,documented', studyNames('issued', 'plain', 'shared')],
    ['encounter=Encounter/without-studies', []],
    ['encounter=Patient/ana', []],
    ['patient.birthdate=1970', studyNames('issued', 'shared', 'alsoShared', 'plain', 'byOrder')],
    [
      'patient.birthdate=lt1990',
      studyNames('issued', 'shared', 'alsoShared', 'plain', 'bobs', 'byOrder', 'ofBob'),
    ],
    ['subject:Patient.birthdate=1980', studyNames('bobs', 'ofBob')],
    ['patient.birthdate=1970&patient=Patient/bob', []],
    ['patient.birthdate=2000', []],
    ['reason=x', []],
  ])('%s', async (query, matches) => {
    expect(await gateway.search('folder', query)).toMatchObject({ status: 200, matches });
  });

  test.each([
    ['basedon.nothing=1', 400],
    ['basedon:Task.status=x', 400],
    ['patient.nothing=1', 400],
  ])('%s is refused, also without strict handling', async (query, status) => {
    expect((await gateway.search('folder', query)).status).toBe(status);
  });

  test('GraphQL takes them as _chain, and the parameters as arguments', async () => {
    const { data, errors } = await gateway.graph(
      'folder',
      `{ a: ImagingStudyList(_chain: ["basedon._id=order"]) { id } b: ImagingStudyList(encounter: ["Encounter/visit"]) { id }
         c: ImagingStudyList(reason: ["x"]) { id } d: ImagingStudyList(_chain: ["patient.birthdate=1980"]) { id } }`,
    );
    expect(errors).toBeUndefined();
    const found = Object.values(data as Record<string, { id: string }[]>).map(ids);
    expect(found).toEqual([
      uidsOf(['issued', 'byOrder']),
      uidsOf(['issued', 'plain']),
      [],
      uidsOf(['bobs', 'ofBob']),
    ]);
  });
});

describe('FG-9 REST: _include and _revinclude', () => {
  const included = (type: string, uid: string) => belonging(type, uid).map((id) => `${type}/${id}`);
  test.each<[parameter: string, type: JoinedType]>([
    ['_include=ImagingStudy:basedon', 'ServiceRequest'],
    ['_include=ImagingStudy:encounter:Encounter', 'Encounter'],
  ])('%s adds what belongs to the study', async (parameter, type) => {
    const found = await gateway.search('folder', `_id=${STUDY.plain}&${parameter}`);
    expect(found.matches).toEqual(studyNames('plain'));
    expect(found.included).toEqual(included(type, STUDY.plain));
    expect(found.bundle.link![0]!.url).toContain('_include');
  });

  test('_include=ImagingStudy:patient adds the patients, each once', async () => {
    const found = await gateway.search(
      'folder',
      '_include=ImagingStudy:patient&_include=ImagingStudy:subject',
    );
    expect([found.matches.length, found.included]).toEqual([7, ['Patient/ana', 'Patient/bob']]);
  });

  test('R4 has no parameter that leads from a report to a study', async () => {
    const query = `_id=${STUDY.plain}&_revinclude=DiagnosticReport:imaging-study`;
    const lenient = await gateway.search('folder', query);
    expect([lenient.status, lenient.included]).toEqual([200, []]);
    expect(lenient.bundle.link![0]!.url).not.toContain('_revinclude');
    expect((await gateway.search('folder', query, undefined, { prefer: 'handling=strict' })).status).toBe(
      400,
    );
  });
});

describe('SM-6 SM-16 joins never leave the reach of the caller', () => {
  test('a token for another patient finds nothing of the first', async () => {
    const token = gateway.give('bob', 'patient/*.rs', 'bob');
    for (const query of [
      'basedon=ServiceRequest/order',
      'encounter=visit',
      'basedon.status=active&basedon._id=order',
      'patient.birthdate=1970',
    ])
      expect([query, (await gateway.search('smart', query, token)).matches]).toEqual([query, []]);
    const { included } = await gateway.search(
      'smart',
      '_include=ImagingStudy:basedon&_include=ImagingStudy:patient&_revinclude=Observation:derived-from',
      token,
    );
    // Bob's record says that the study is his, and so does what is derived from it.
    expect(included).toEqual(['Observation/stray', 'Patient/bob', 'ServiceRequest/order-of-bob']);
  });

  test.each([
    ['basedon.status=active', 403],
    ['encounter=visit', 403],
    ['patient.birthdate=1970', 403],
  ])('%s needs the scope of the type that it leads to', async (query, status) => {
    expect(
      (await gateway.search('smart', query, gateway.give('images', 'patient/ImagingStudy.rs'))).status,
    ).toBe(status);
  });

  test('an _include without its scope is left out with an outcome, or refused under strict handling', async () => {
    const token = gateway.give('images', 'patient/ImagingStudy.rs');
    const query = `_id=${STUDY.plain}&_revinclude=Observation:derived-from`;
    const lenient = await gateway.search('smart', query, token);
    expect([lenient.matches, lenient.included]).toEqual([studyNames('plain'), []]);
    expect(lenient.bundle.link![0]!.url).not.toContain('_revinclude');
    expect(JSON.stringify(lenient.bundle)).toContain('OperationOutcome');
    expect((await gateway.search('smart', query, token, { prefer: 'handling=strict' })).status).toBe(403);
  });

  test('a list without its scope is null with an error; the others are given', async () => {
    const token = gateway.give(
      'some',
      'patient/ImagingStudy.rs patient/Procedure.rs patient/Observation.rs patient/Media.rs',
    );
    const fields = 'ProcedureList { id } ObservationList { id } DiagnosticReportList { id }';
    const { data, errors } = await gateway.graph(
      'smart',
      `{ ImagingStudyList(identifier: ["urn:oid:${STUDY.issued}"]) { ${fields} } }`,
      token,
    );
    const [study] = data['ImagingStudyList'] as unknown as Record<string, { id: string }[] | null>[];
    expect(study!['DiagnosticReportList']).toBeNull();
    expect(errors!.map(({ extensions }) => extensions.code)).toEqual(['insufficient_scope']);
    // Without the scope of orders nothing is joined by way of them.
    const viaOrder = CASES.filter(({ what }) => /: its order/.test(what)).map(({ resource }) => resource.id!);
    const expected = belonging('Procedure', STUDY.issued).filter((id) => !viaOrder.includes(id));
    expect(ids(study!['ProcedureList']!)).toEqual(expected);
  });
});
