/** Measurements and key images as FHIR R4: an Observation each, and a Basic that stands for the ImagingSelection of R5. */
import { text } from '../instance.ts';
import type { Study } from '../study.ts';
import { dcm, type Coded, type OfImage } from './content.ts';
import { uidOf, type Authorship } from './document.ts';
import type { Keyed } from './key-selection.ts';
import type { Measured } from './measurement-report.ts';
import { isWritable, noteOf, quantitiesOf, type Quantity } from './quantities.ts';

interface Marks {
  measured: readonly Measured[];
  keyed: readonly Keyed[];
  /** Id of the Patient in the record. */
  patient: string;
  /** Those of the images. */
  studies: readonly Study[];
}

type Json = Readonly<Record<string, unknown>>;

/** Code systems by their name in DICOM (PS3.16 §8). A private one has no address: its words stand alone. */
const SYSTEMS: Readonly<Record<string, string>> = {
  DCM: 'http://dicom.nema.org/resources/ontology/DCM',
  SCT: 'http://snomed.info/sct',
};
const UCUM = 'http://unitsofmeasure.org';
const R5 = 'http://hl7.org/fhir/5.0/StructureDefinition';
const ARTIFACT = 'http://hl7.org/fhir/StructureDefinition/artifact';

/** Returns a Bundle of the type `collection`, to be written as JSON. Measurements without a number or a note are left out. */
export function bundleOf({ measured, keyed, patient, studies }: Marks, by: Authorship): Json {
  const timestamp = by.now.toISOString();
  const subject = { reference: `Patient/${patient}` };
  const studyOf = ({ image }: OfImage) => {
    const id = studies.find(({ uid }) => uid === image.study)?.id;
    const identifier = { system: 'urn:dicom:uid', value: `urn:oid:${image.study}` };
    return { reference: id === undefined ? undefined : `ImagingStudy/${id}`, identifier };
  };
  const observations = measured
    .filter(({ measurement }) => isWritable(measurement))
    .map((one) => ({
      fullUrl: `urn:uuid:${one.measurement.id}`,
      resource: {
        ...observationOf(one),
        subject,
        issued: timestamp,
        performer: by.person === undefined ? undefined : [{ display: by.person }],
        derivedFrom: [{ ...studyOf(one), display: placeOf(one) }],
      },
    }));
  const selections = keyed.map((one) => ({
    fullUrl: `urn:uuid:${by.uuid()}`,
    resource: { ...selectionOf(one, studyOf(one)), subject, created: timestamp.slice(0, 10) },
  }));
  return { resourceType: 'Bundle', type: 'collection', timestamp, entry: [...observations, ...selections] };
}

function concept([code, scheme, display]: Coded, words?: string): Json {
  const { [scheme]: system } = SYSTEMS;
  return { ...(system && { coding: [{ system, code, display }] }), text: words ?? display };
}

const quantity = ({ value, unit: [code, , unit] }: Quantity): Json => ({ value, unit, system: UCUM, code });

/** Names the image in words that a person and a program can find again. */
function placeOf({ image, metadata }: OfImage): string {
  const [series, number] = [text(metadata, '00200011'), text(metadata, '00200013')];
  const words = [series && `series ${series}`, number && `image ${number}`, `frame ${image.frame}`];
  return `${words.filter(Boolean).join(', ')} (SOP Instance UID ${image.instance})`;
}

function observationOf({ measurement }: Measured): Json {
  const [first, ...others] = quantitiesOf(measurement);
  const note = noteOf(measurement);
  return {
    resourceType: 'Observation',
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${uidOf(measurement.id)}` }],
    status: 'preliminary',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'imaging' }] },
    ],
    code: concept(first ? first.name : dcm('121106', 'Comment'), first && wordsOf(first)),
    ...(first ? { valueQuantity: quantity(first) } : { valueString: note }),
    ...(others.length > 0 && {
      component: others.map((one) => ({
        code: concept(one.derivation ?? one.name, wordsOf(one)),
        valueQuantity: quantity(one),
      })),
    }),
  };
}

const wordsOf = ({ name, derivation }: Quantity): string =>
  [name[2], derivation?.[2]].filter(Boolean).join(', ');

/** By the profile of the cross-version extensions (hl7.fhir.uv.xver-r5.r4 0.1.0). */
function selectionOf({ key, image, metadata }: Keyed, study: Json): Json {
  const extension = (name: string, value: Json) => ({
    url: `${R5}/extension-ImagingSelection.${name}`,
    ...value,
  });
  const { title, comment } = key;
  return {
    resourceType: 'Basic',
    meta: { profile: [`${R5}/profile-ImagingSelection`] },
    code: { coding: [{ system: 'http://hl7.org/fhir/fhir-types', code: 'ImagingSelection' }] },
    modifierExtension: [extension('status', { valueCode: 'available' })],
    extension: [
      extension('code', { valueCodeableConcept: concept(dcm('113000', 'Of Interest')) }),
      extension('derivedFrom', { valueReference: study }),
      extension('studyUid', { valueId: image.study }),
      extension('seriesUid', { valueId: image.series }),
      {
        url: `${R5}/extension-ImagingSelection.instance`,
        extension: [
          { url: 'uid', valueId: image.instance },
          {
            url: 'sopClass',
            valueCoding: { system: 'urn:ietf:rfc:3986', code: `urn:oid:${text(metadata, '00080016')}` },
          },
          { url: 'subset', valueString: String(image.frame) },
        ],
      },
      ...(title ? [{ url: `${ARTIFACT}-title`, valueString: title }] : []),
      ...(comment ? [{ url: `${ARTIFACT}-description`, valueMarkdown: comment }] : []),
    ],
  };
}
