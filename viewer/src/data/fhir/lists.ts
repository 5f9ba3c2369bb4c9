/** FHIR resources as the lists of a record. What was entered in error or refuted is in none of them. */
import { inlineBytes } from '../../domain/documents/inline-bytes.ts';
import type { Allergy, Attachment, Medication, Problem, Report } from '../../domain/record/record.ts';
import {
  omitEmpty,
  present,
  type FhirAllergy,
  type FhirCondition,
  type FhirMedicationRequest,
  type FhirReport,
  type List,
} from './shapes.ts';
import { conceptOf, hasCode, isError } from './words.ts';

/** Returns the allergies that are not over. */
export function allergiesOf(allergies: List<FhirAllergy>): Allergy[] {
  return present(allergies)
    .filter((one) => !isError(one) && !hasCode(one.clinicalStatus, 'inactive', 'resolved'))
    .map(({ id, code, criticality }) => ({
      id: id ?? '',
      concept: conceptOf(code),
      high: criticality === 'high',
    }));
}

export function problemsOf(conditions: List<FhirCondition>): Problem[] {
  return present(conditions)
    .filter((one) => !isError(one))
    .map((one) =>
      omitEmpty({
        id: one.id ?? '',
        concept: conceptOf(one.code),
        active: !hasCode(one.clinicalStatus, 'inactive', 'remission', 'resolved'),
        onset: one.onsetDateTime ?? one.onsetPeriod?.start ?? undefined,
      }),
    );
}

export function medicationsOf(requests: List<FhirMedicationRequest>): Medication[] {
  return present(requests)
    .filter((one) => !isError(one))
    .map((one) =>
      omitEmpty({
        id: one.id ?? '',
        concept: one.medicationCodeableConcept
          ? conceptOf(one.medicationCodeableConcept)
          : { text: one.medicationReference?.display ?? '' },
        active: one.status === 'active',
        authored: one.authoredOn ?? undefined,
      }),
    );
}

/**
 * Returns a report; undefined for one that was entered in error.
 * @param studies Study Instance UIDs
 * @param base of relative URLs of attachments: the FHIR base, with a slash at the end
 */
export function reportOf(report: FhirReport, studies: readonly string[], base: string): Report | undefined {
  if (!report.id || isError(report)) return undefined;
  const forms = present(report.presentedForm).map((form): Attachment =>
    omitEmpty({
      contentType: form.contentType ?? 'application/octet-stream',
      title: form.title ?? undefined,
      data: form.data ?? undefined,
      url: form.url && URL.canParse(form.url, base) ? new URL(form.url, base).href : undefined,
    }),
  );
  const texts = forms.filter((form) => isPlainText(form) && form.data !== undefined);
  return omitEmpty({
    id: report.id,
    concept: conceptOf(report.code),
    status: report.status ?? 'unknown',
    date: report.effectiveDateTime ?? report.effectivePeriod?.start ?? undefined,
    text:
      texts.map(({ data }) => new TextDecoder().decode(inlineBytes(data!))).join('\n\n') ||
      (report.conclusion ?? ''),
    attachments: forms.filter((form) => !texts.includes(form)),
    studies,
    results: present(report.result).flatMap(
      ({ reference }) => /Observation\/([^/]+)$/.exec(reference ?? '')?.[1] ?? [],
    ),
  });
}

export function isPlainText({ contentType }: Attachment): boolean {
  return contentType.toLowerCase().startsWith('text/plain');
}
