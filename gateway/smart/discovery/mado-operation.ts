import type { OperationDefinition } from 'fhir/r4.js';

/** Path below `/fhir` at which the definition of `$mado` is read. */
export const MADO_OPERATION = 'OperationDefinition/ImagingStudy-mado';

/** Returns the definition of `ImagingStudy/{id}/$mado` (IA-47), which is our own: MADO defines the document alone. */
export function madoOperation(base: string): OperationDefinition {
  return {
    resourceType: 'OperationDefinition',
    id: 'ImagingStudy-mado',
    url: `${base}/${MADO_OPERATION}`,
    name: 'ImagingStudyMado',
    title: 'Manifest of a study',
    status: 'active',
    kind: 'operation',
    affectsState: false,
    description:
      'Makes the manifest of a study as a FHIR document: which series and images it has, and where they are retrieved (IHE Radiology, Manifest-based Access to DICOM Objects, draft).',
    code: 'mado',
    resource: ['ImagingStudy'],
    system: false,
    type: false,
    instance: true,
    parameter: [{ name: 'return', use: 'out', min: 1, max: '1', type: 'Bundle' }],
  };
}
