import { expect, it } from 'vitest';
import { referencesInText } from './references-in-text.ts';

const PARTS = [
  'Patient/a',
  '#in',
  '"',
  '\\',
  ',"reference":"x',
  '{"reference":"y"}',
  'é\u2028',
  '',
  'reference',
];

/** All members named `reference`, as a walk through the object finds them. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) =>
    name === 'reference' && typeof child === 'string' ? [child] : referencesIn(child),
  );
}

it('finds the references of a resource, and no text that looks like one', () => {
  for (const [at, part] of PARTS.entries()) {
    const other = PARTS[(at + 3) % PARTS.length]!;
    const resource = {
      [`${part}"reference`]: part,
      [part]: { reference: other, display: `{"reference":"${part}"}` },
      list: ['reference', ':', part, { reference: part + other }, { reference: { reference: null } }],
      contained: [
        { subject: { reference: part, identifier: { assigner: { reference: 'Organization/o' } } } },
      ],
      text: `${part},"reference":"Patient/none"`,
    };
    expect([...referencesInText(JSON.stringify(resource))].toSorted()).toEqual(
      [...new Set(referencesIn(resource))].toSorted(),
    );
  }
});
