import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../gateway/test/setup/shared-data.ts';
import type { FhirConcept, FhirObservation } from '../src/data/fhir/shapes.ts';
import { conceptOf, resultOf } from '../src/data/fhir/words.ts';
import { overwriteGetLocale } from '../src/messages/compiled/runtime.js';
import { plainReport, plainResult } from '../src/messages/plain/names.ts';
import { valueWords } from '../src/ui/timeline/result-words.ts';

type Named = FhirObservation & { resourceType: string; code: FhirConcept };

/** What LOINC writes into its names, and nobody says. */
const UNSAID =
  /[[\]]|mass\W?\/|moles|\/\W?(volume|1\.73)|#|entitic|enzymatic|fraction|presence|automated|test strip|\bby (calc|man|imm)|serum|plasma|\.total/i;

/** Returns every result and every report of a folder of Bundles. */
function resourcesOf(folder: string): Named[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const { entry = [] } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
        entry?: { resource: Named }[];
      };
      return entry.map(({ resource }) => resource);
    })
    .filter(({ resourceType }) => ['Observation', 'DiagnosticReport'].includes(resourceType));
}

/** Returns all that a plain page says of resources, each text once. */
function wordsOf(resources: readonly Named[]): string[] {
  const words = resources.flatMap((one) => {
    if (one.resourceType === 'DiagnosticReport') {
      const concept = conceptOf(one.code);
      return plainReport(concept) ?? concept.text;
    }
    const result = resultOf(one);
    if (!result) return [];
    const concepts = [result, ...(result.measures ?? [])].map(({ concept }) => concept);
    return [...concepts.map(plainResult), ...(result.parts ? [valueWords(result, 'plain')] : [])];
  });
  return [...new Set(words)];
}

afterEach(() => overwriteGetLocale(() => 'en'));

function hasPlainWords(folder: string, atLeast: number): void {
  test.each(['en', 'es'] as const)('all results and reports have plain names: %s', (language) => {
    overwriteGetLocale(() => language);
    const resources = resourcesOf(folder);
    expect(resources.length).toBeGreaterThan(atLeast);
    const words = wordsOf(resources);
    expect(words.filter((one) => UNSAID.test(one) || one.trim() === '')).toEqual([]);
    // Names of one kind for all would be plain, and say nothing.
    const unknown = language === 'en' ? 'Laboratory result' : 'Resultado de laboratorio';
    expect(words).not.toContain(unknown);
  });
}

describe('of the demonstration', () =>
  hasPlainWords(join(import.meta.dirname, '../../gateway/demo/patients'), 100));

describeWithSharedData('of Synthea', () => hasPlainWords(sharedDataPath('fhir/synthea'), 4_000));
