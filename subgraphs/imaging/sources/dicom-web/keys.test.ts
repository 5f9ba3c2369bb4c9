import { describe, expect, test } from 'vitest';
import { Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { askedKeys } from './keys.ts';

const PATH = `${Tag.RequestAttributesSequence}.${Tag.ScheduledProcedureStepID}`;
const keys = (tag: string, values: string[], studyUid?: string) =>
  askedKeys({ match: new Map([[tag, values]]), ...(studyUid && { studyUid }) });
const row = (tag: string, ...Value: unknown[]): DicomJson => ({ [tag]: { vr: 'LO', Value } });

describe('DW-2 asks a server for', () => {
  test.each<[what: string, tag: string, values: string[], asked: string | undefined]>([
    ['text', Tag.StudyDescription, ['a-(b)'], 'a-(b)'],
    [
      'text with characters that a query cannot have',
      Tag.StudyDescription,
      ['a (b) & c#d+1'],
      'a??b????c?d?1',
    ],
    ['a name beyond ASCII', Tag.PatientName, ['Buc^Jérôme'], 'Buc?J*r*me'],
    ['text with a comma, which would be a list', Tag.StudyDescription, ['a, b'], 'a??b'],
    ['a name', Tag.PatientName, ['DOE^JANE'], 'DOE?JANE'],
    ['a name with wildcards', Tag.PatientName, ['DOE^J*'], 'DOE?J*'],
    ['text with wildcards and brackets', Tag.StudyDescription, ['*(x)[y]*'], '*?x??y?*'],
    ['a list of codes', Tag.ModalitiesInStudy, ['CT', 'MR'], 'CT,MR'],
    ['codes with wildcards', Tag.ModalitiesInStudy, ['C*', 'MR'], undefined],
    ['a list of UIDs', Tag.StudyInstanceUID, ['1.2', '1.3'], '1.2,1.3'],
    ['a time of hours', Tag.StudyTime, ['10'], '10-105959.999999'],
    ['a time of seconds', Tag.StudyTime, ['101500'], '101500-101500.999999'],
    ['a range of times', Tag.StudyTime, ['10-12'], '10-125959.999999'],
    ['a range of times without an end', Tag.StudyTime, ['1015-'], '1015-'],
    ['a range of times without a start', Tag.StudyTime, ['-12'], '00-125959.999999'],
    ['a range of dates without a start', Tag.StudyDate, ['-20200101'], '00010101-20200101'],
    ['a range of dates', Tag.StudyDate, ['20190101-'], '20190101-'],
    ['a number', Tag.InstanceNumber, ['+01'], '1'],
    ['a code with a space', Tag.Modality, ['A B'], undefined],
    ['a key of a sequence', PATH, ['1'], undefined],
  ])('%s', (_, tag, values, asked) => {
    expect(keys(tag, values).asked).toEqual(asked === undefined ? [] : [[tag, asked]]);
  });

  test('no number within a study, which is compared in the gateway', () => {
    expect(keys(Tag.InstanceNumber, ['1'], '1.2')).toMatchObject({ asked: [], needed: [Tag.InstanceNumber] });
  });
});

describe('DW-3 keeps rows with', () => {
  const step = (id: string) => ({ [Tag.ScheduledProcedureStepID]: { vr: 'SH', Value: [id] } });
  test.each<[what: string, tag: string, values: string[], row: DicomJson, kept: boolean]>([
    ['the name', Tag.PatientName, ['DOE^J*'], row(Tag.PatientName, { Alphabetic: 'Doe^Jane' }), true],
    [
      'another character that ? matches',
      Tag.PatientName,
      ['DOE^J*'],
      row(Tag.PatientName, { Alphabetic: 'Doe-Jane' }),
      false,
    ],
    [
      'another group',
      Tag.PatientName,
      ['王^*'],
      row(Tag.PatientName, { Alphabetic: 'W', Ideographic: '王^小' }),
      true,
    ],
    ['^ at the end', Tag.PatientName, ['D*^J'], row(Tag.PatientName, { Alphabetic: 'Doe^J^^^' }), true],
    ['no such attribute', Tag.PatientName, ['DOE^J*'], {}, true],
    ['a comma', Tag.StudyDescription, ['a, b'], row(Tag.StudyDescription, 'a, b'), true],
    ['no comma', Tag.StudyDescription, ['a, b'], row(Tag.StudyDescription, 'a; b'), false],
    ['a code by wildcard', Tag.ModalitiesInStudy, ['C*'], row(Tag.ModalitiesInStudy, 'MR', 'CT'), true],
    ['another code', Tag.ModalitiesInStudy, ['C*'], row(Tag.ModalitiesInStudy, 'MR'), false],
    ['no code', Tag.ModalitiesInStudy, ['C*'], {}, false],
    [
      'a step of the sequence',
      PATH,
      ['S1'],
      row(Tag.RequestAttributesSequence, step('S0'), step('S1')),
      true,
    ],
    ['another step', PATH, ['S1'], row(Tag.RequestAttributesSequence, step('S11')), false],
    ['no sequence', PATH, ['S1'], {}, false],
  ])('%s: %s %j', (_, tag, values, row, kept) => {
    expect(keys(tag, values).meets(row)).toBe(kept);
  });

  test.each([
    ['1', true],
    [' 01 ', true],
    [1, true],
    ['11', false],
    [undefined, false],
  ])('a padded number within a study: %j', (value, kept) => {
    const shown = value === undefined ? {} : row(Tag.InstanceNumber, value);
    expect(keys(Tag.InstanceNumber, ['1'], '1.2').meets(shown)).toBe(kept);
  });
});
