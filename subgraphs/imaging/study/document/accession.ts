import type { Identifier } from 'fhir/r4.js';
import { items, Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { V2_IDENTIFIER_TYPE } from '../../../../schema/fhir/fhir.ts';
import { string } from '../../dicom/dicom-text.ts';
import { omitEmpty } from '../../dicom/omit-empty.ts';
import type { StudyRecord } from '../study-records.ts';

type Rows = Pick<StudyRecord, 'study' | 'series'>;

const ISSUER_OF_ACCESSION_NUMBER_SEQUENCE = '00080051';
const LOCAL_NAMESPACE_ENTITY_ID = '00400031';
const UNIVERSAL_ENTITY_ID = '00400032';
const UNIVERSAL_ENTITY_ID_TYPE = '00400033';

/**
 * Returns the accession numbers of a study as identifiers of type ACSN: first its own, then those of the requests of
 * its series.
 */
export function accessionIdentifiers({ study, series }: Rows): Identifier[] {
  const holders = [study, ...series.flatMap((row) => items(row, Tag.RequestAttributesSequence))];
  const identifiers = new Map<string, Identifier>();
  for (const holder of holders) {
    const value = string(holder, Tag.AccessionNumber);
    if (value && !identifiers.has(value)) identifiers.set(value, accessionIdentifier(holder, value));
  }
  return [...identifiers.values()];
}

function accessionIdentifier(holder: DicomJson, value: string): Identifier {
  const issuer = items(holder, ISSUER_OF_ACCESSION_NUMBER_SEQUENCE)[0] ?? {};
  const name = string(issuer, LOCAL_NAMESPACE_ENTITY_ID);
  return omitEmpty({
    type: { coding: [{ system: V2_IDENTIFIER_TYPE, code: 'ACSN', display: 'Accession ID' }] },
    system: universalSystem(string(issuer, UNIVERSAL_ENTITY_ID), string(issuer, UNIVERSAL_ENTITY_ID_TYPE)),
    value,
    assigner: name ? { display: name } : undefined,
  });
}

/** Converts a universal entity ID (PS3.3 §10.14) to an identifier system; undefined for a type that has no URI form. */
function universalSystem(id: string | undefined, type: string | undefined): string | undefined {
  if (!id || /\s/.test(id)) return undefined;
  if (type === 'ISO') return `urn:oid:${id}`;
  if (type === 'UUID') return `urn:uuid:${id.toLowerCase()}`;
  return type === 'URI' ? id : undefined;
}
