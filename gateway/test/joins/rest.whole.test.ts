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
         c: ImagingStudyList(reason: ["x"]) { id } d: ImagingStudyList(_chain: ["patient.birthdate=1980"]) { id }
         e: ImagingStudyList(_chain: ["patient._has:Encounter:patient:_id=visit"]) { id } }`,
    );
    expect(errors).toBeUndefined();
    const found = Object.values(data as Record<string, { id: string }[]>).map(ids);
    expect(found).toEqual([
      uidsOf(['issued', 'byOrder']),
      uidsOf(['issued', 'plain']),
      [],
      uidsOf(['bobs', 'ofBob']),
      uidsOf(['issued', 'shared', 'alsoShared', 'plain', 'byOrder']),
    ]);
  });
});

describe('FG-9 REST: _has', () => {
  test.each<[query: string, matches: string[]]>([
    ['_has:Observation:derived-from:_id=circle-1', studyNames('plain')],
    ['_has:Observation:derived-from:status=final', studyNames('plain', 'issued', 'byOrder', 'ofBob')],
    ['_has:Observation:derived-from:status=final&patient=Patient/bob', studyNames('ofBob')],
    ['_has:Observation:derived-from:patient.birthdate=1980', studyNames('ofBob')],
    ['_has:Observation:derived-from:status=amended', []],
    ['_has:Observation:part-of:status=final&modality=CT', studyNames('plain', 'issued')],
    ['_has:Media:based-on:_id=key-image', studyNames('issued', 'byOrder')],
    ['_has:DocumentReference:related:status=current', studyNames('plain', 'issued', 'byOrder', 'shared')],
    ['_has:DiagnosticReport:imaging-study:_id=of-procedure', studyNames('plain')],
    ['_has:DiagnosticReport:imaging-study:status=final', studyNames('plain', 'issued', 'byOrder')],
    ['_has:DiagnosticReport:imaging-study:status=partial', []],
  ])('%s', async (query, matches) => {
    expect(await gateway.search('folder', query)).toMatchObject({ status: 200, matches });
  });

  test('one that leads to no study is left out with an outcome, or refused under strict handling', async () => {
    const query = `_id=${STUDY.plain}&_has:Procedure:report:status=completed`;
    const lenient = await gateway.search('folder', query);
    expect([lenient.status, lenient.matches]).toEqual([200, studyNames('plain')]);
    expect(lenient.bundle.link![0]!.url).not.toContain('_has');
    expect(JSON.stringify(lenient.bundle)).toContain('OperationOutcome');
    const strict = await gateway.search('folder', query, undefined, { prefer: 'handling=strict' });
    expect(strict.status).toBe(400);
  });

  test('is never left out where the record cannot search by it', async () => {
    expect((await gateway.search('folder', '_has:Observation:derived-from:nothing=1')).status).toBe(400);
  });

  test('is an argument of GraphQL', async () => {
    const { data, errors } = await gateway.graph(
      'folder',
      '{ ImagingStudyList(_has: ["Observation:derived-from:_id=circle-1"]) { id } }',
    );
    expect(errors).toBeUndefined();
    expect(data['ImagingStudyList']).toEqual([{ id: STUDY.plain }]);
  });
});

describe('IA-13 IA-34 each search parameter of R4 finds a joined study by either half', () => {
  test.each<[query: string, isFound: boolean]>([
    ['basedon=ServiceRequest/order-named', true],
    ['bodysite=51185008', true],
    ['dicom-class=urn:oid:1.2.840.10008.5.1.4.1.1.7', true],
    ['dicom-class=urn:oid:1.2.840.10008.5.1.4.1.1.88.33', true],
    ['encounter=Encounter/named', true],
    ['endpoint=Endpoint/dicomweb', true],
    ['endpoint=Endpoint/other', false],
    [`identifier=urn:oid:${STUDY.plain}`, true],
    ['identifier=urn:ris|R-1', true],
    [`instance=${STUDY.plain}.1.2`, true],
    [`instance=${STUDY.plain}.9.1`, true],
    ['interpreter=PractitionerRole/role', true],
    ['interpreter:Practitioner=role', false],
    ['modality=CT', true],
    ['modality=SR', true],
    ['modality:not=SR', false],
    ['patient=Patient/ana', true],
    ['performer=Organization/clinic', true],
    ['performer:Organization=clinic', true],
    ['performer=Practitioner/doctor', false],
    ['reason=cough', true],
    ['referrer=Practitioner/doctor', true],
    ['referrer=doctor', true],
    ['referrer=Practitioner/other', false],
    [`series=${STUDY.plain}.1`, true],
    [`series=${STUDY.plain}.9`, true],
    ['started=2024-01-01', true],
    ['status=available', true],
    ['subject=Patient/ana', true],
    ['_id=ehr-naming', true],
  ])('%s: %s', async (query, isFound) => {
    const { status, matches, bundle } = await gateway.search('folder', query);
    expect(status).toBe(200);
    expect(matches.includes(`ImagingStudy/${STUDY.plain}`)).toBe(isFound);
    expect(bundle.link![0]!.url).toContain(query.split(/[=:]/)[0]);
  });

  test('referrer takes no value that is no reference', async () => {
    expect((await gateway.search('folder', 'referrer=a%20name')).status).toBe(400);
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

  test.each([
    ['referrer', 'Practitioner/doctor'],
    ['referrer:Practitioner', 'Practitioner/doctor'],
    ['interpreter', 'PractitionerRole/role'],
    ['performer', 'Organization/clinic'],
    ['performer:Practitioner', undefined],
  ])('_include=ImagingStudy:%s adds whom the record names', async (code, name) => {
    const found = await gateway.search('folder', `_id=${STUDY.plain}&_include=ImagingStudy:${code}`);
    expect(found.included).toEqual(name === undefined ? [] : [name]);
  });

  test.each(['*', 'ImagingStudy:*'])('_include=%s adds all that an _include can add', async (all) => {
    const found = await gateway.search('folder', `_id=${STUDY.plain}&_include=${all}`);
    expect(found.included).toEqual(
      [
        'Endpoint/dicomweb',
        'Patient/ana',
        'Practitioner/doctor',
        'PractitionerRole/role',
        'Organization/clinic',
        ...included('ServiceRequest', STUDY.plain),
        ...included('Encounter', STUDY.plain),
      ].sort(),
    );
    expect(JSON.stringify(found.bundle)).not.toContain('OperationOutcome');
  });

  test('_include=ImagingStudy:patient adds the patients, each once', async () => {
    const found = await gateway.search(
      'folder',
      '_include=ImagingStudy:patient&_include=ImagingStudy:subject',
    );
    expect([found.matches.length, found.included]).toEqual([7, ['Patient/ana', 'Patient/bob']]);
  });

  test('R4 has no parameter that leads from a procedure to a study', async () => {
    const query = `_id=${STUDY.plain}&_revinclude=Procedure:report`;
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
      '_has:Observation:derived-from:_id=circle-1',
      '_has:DiagnosticReport:imaging-study:status=final',
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
    ['_has:Observation:derived-from:status=final', 403],
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

  test('_include=* adds what the token shows, and one outcome names the rest, also under strict handling', async () => {
    const token = gateway.give('with-patient', 'patient/ImagingStudy.rs patient/Patient.rs');
    const query = `_id=${STUDY.plain}&_include=*`;
    const { status, included, bundle } = await gateway.search('smart', query, token, {
      prefer: 'handling=strict',
    });
    expect([status, included]).toEqual([200, ['Endpoint/dicomweb', 'Patient/ana']]);
    expect(bundle.link![0]!.url).toContain('_include');
    const outcomes = bundle.entry!.filter(({ search }) => search?.mode === 'outcome');
    expect(outcomes.map(({ resource }) => JSON.stringify(resource))).toEqual([
      expect.stringContaining('Encounter, Organization, Practitioner, PractitionerRole, ServiceRequest'),
    ]);
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
