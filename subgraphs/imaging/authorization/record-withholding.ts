import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Withholding, type WithholdingOptions } from './withholding.ts';

/** The facts of a study that only the clinical record has, with which the rules of `authorization.withhold` are compared. */
export interface RecordFacts {
  /** Study Instance UID, or the record's logical id of a study without one. */
  id: string;
  /** DICOM codes; undefined when the record does not state them. */
  modalities: readonly string[] | undefined;
  /** DICOM terms; undefined when the record does not state them, or states a code that has no term here. */
  bodyParts: readonly string[] | undefined;
  /** `system|code`; undefined when a label cannot be read. */
  labels: readonly string[] | undefined;
}

/** Tells whether a study may be withheld from this caller. */
export function mayWithhold(options: WithholdingOptions): boolean {
  return withholding(options, []).applies;
}

/**
 * Returns the ids of the studies that are not withheld from this caller (IA-31), by what the record says of them. What it
 * does not say counts as what a rule names: a study that cannot be decided is withheld.
 * @param options with a `decisions` of their own: the archive's studies are decided by other facts
 */
export async function shownOfRecord(
  options: WithholdingOptions,
  studies: readonly RecordFacts[],
): Promise<ReadonlySet<string>> {
  const rules = options.tenant.authorization.withhold.flatMap((rule) => ('url' in rule ? [] : rule));
  const named = (what: 'modality' | 'bodyPart') => rules.flatMap((rule) => rule[what] ?? []);
  const rows = studies.flatMap(({ id, modalities, bodyParts }): DicomJson[] => [
    row(id),
    ...(modalities ?? named('modality')).map((code) => row(id, Tag.Modality, code)),
    ...(bodyParts ?? named('bodyPart')).map((term) => row(id, Tag.BodyPartExamined, term)),
  ]);
  const labels = async () => {
    const known = studies.map(({ id, labels }) => [id, labels] as const);
    if (known.some(([, list]) => list === undefined)) throw new Error('A security label has no code.');
    return new Map(known as [string, readonly string[]][]);
  };
  const asked = { ...options, directory: { ...options.directory, labels } };
  const shown = await withholding(asked, rows).shown(studies.map(({ id }) => row(id)));
  return new Set(shown.map((one) => one[Tag.StudyInstanceUID]!.Value![0] as string));
}

function withholding(options: WithholdingOptions, rows: readonly DicomJson[]): Withholding {
  return new Withholding(options, 'record', async () => rows);
}

function row(id: string, tag?: string, value?: string): DicomJson {
  return {
    [Tag.StudyInstanceUID]: { vr: 'UI', Value: [id] },
    ...(tag === undefined ? {} : { [tag]: { vr: 'CS', Value: [value!] } }),
  };
}
