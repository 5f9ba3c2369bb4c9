import { z } from 'zod';
import { withDecimals } from '../../schema/fhir/decimal.ts';
import { Fault, isFaultCode } from '../../schema/fault/fault.ts';
import { FHIR_ID } from '../../schema/fhir/fhir.ts';
import { foldedText } from '../../schema/fhir/folded-text.ts';
import { answered, argumentsOf, requireShort, toolOf } from './tool.ts';
import type { ToolCall } from './tool-call.ts';

const KINDS = [
  'encounter',
  'report',
  'study',
  'procedure',
  'condition',
  'medication',
  'immunization',
  'document',
  'laboratory',
  'vitalSigns',
] as const;

/** Resources of entries; reports are read with their conclusion. */
const TYPES = [
  'Condition',
  'DocumentReference',
  'Encounter',
  'Immunization',
  'MedicationRequest',
  'MedicationStatement',
  'Procedure',
];

/** The query of a page of the timeline; a trusted document (FG-13). */
export const TIMELINE = `query Timeline($patient: ID!, $from: dateTime, $to: dateTime, $count: Int, $cursor: ID) {
  Patient(id: $patient) {
    timeline(from: $from, to: $to, _count: $count, _cursor: $cursor) {
      next
      missing { type code message }
      entries {
        kind date end title
        resource {
          __typename
          ... on DiagnosticReport { id conclusion }
          ${TYPES.map((type) => `... on ${type} { id }`).join(' ')}
        }
        studies { id description modality { code } identifier { value } }
        observations { id code { text coding { display } } valueQuantity { value unit } valueString valueCodeableConcept { text } }
      }
    }
  }
}`;

/** Entries that are read at a time, and pages that one call searches. */
const ON_A_PAGE = 50;
const MOST_PAGES = 10;

interface Timeline {
  next: string | null;
  missing: object[] | null;
  entries: Record<string, unknown>[];
}

/** Searches a patient's timeline, as the search field of the viewer does (SM-20). */
export const searchTimeline = toolOf({
  name: 'search_timeline',
  title: 'Search what happened to a patient',
  description:
    "Searches a patient's timeline, newest first: encounters, reports with their studies, studies without a report, " +
    'procedures, conditions, medications, immunizations, documents, groups of results. The ids of the answer can be used in ' +
    '`query`, and those of studies in rendered_image.',
  input: argumentsOf({
    patient: z.string().regex(FHIR_ID, 'must be a FHIR id').describe('The id of the Patient'),
    text: z
      .string()
      .max(200)
      .default('')
      .describe('Words that must all be in an entry: in its title, date, studies, conclusion or results'),
    kinds: z.array(z.enum(KINDS)).min(1).optional().describe('Kinds of entries; without it, all'),
    from: z
      .string()
      .max(40)
      .optional()
      .describe('Entries of this date or later: 2025, 2025-03 or 2025-03-01'),
    to: z.string().max(40).optional().describe('Entries of this date or earlier; it counts whole'),
    count: z.int().min(1).max(50).default(20).describe('Stop after about this many entries'),
    cursor: z.string().max(200).optional().describe('The `next` of the answer before, with the same search'),
  }),
  async run({ patient, text, kinds, from, to, count, cursor }, call) {
    const words = foldedText(text).split(/\s+/).filter(Boolean);
    const isWanted = (entry: Timeline['entries'][number]) => {
      if (kinds && !kinds.includes(entry['kind'] as (typeof KINDS)[number])) return false;
      const found = words.length > 0 ? foldedText(textOf(entry)) : '';
      return words.every((word) => found.includes(word));
    };
    const isSearch = words.length > 0 || kinds !== undefined;
    const found = { next: cursor ?? null, missing: [] as object[], entries: [] as Timeline['entries'] };
    for (let page = 0; page < MOST_PAGES; page++) {
      const size = isSearch ? ON_A_PAGE : count;
      const variables = { patient, from, to, count: size, cursor: found.next ?? undefined };
      const timeline = await read(call, variables).catch((error: unknown) => {
        // The limit of a request is reached: the next call goes on from here.
        if (page > 0 && error instanceof Fault && error.code === 'too_large') return undefined;
        throw error;
      });
      if (!timeline) break;
      found.entries.push(...timeline.entries.filter(isWanted));
      found.next = timeline.next;
      found.missing = timeline.missing ?? [];
      if (found.next === null || found.entries.length >= count) break;
    }
    const given = withDecimals(JSON.stringify(found));
    requireShort(given, 'Give words, kinds or dates that fit fewer entries, or a smaller count.');
    return answered(given);
  },
});

/** Reads a page. @throws Fault when there is none, or not all of it: an error of GraphQL */
async function read(call: ToolCall, variables: Record<string, unknown>): Promise<Timeline> {
  const { data, errors = [] } = JSON.parse(await call.graph({ query: TIMELINE, variables })) as {
    data?: { Patient: { timeline: Timeline | null } | null } | null;
    errors?: { message: string; extensions?: { code?: unknown } }[];
  };
  const timeline = data?.Patient?.timeline;
  const cut = errors.find(({ extensions }) => extensions?.code === 'too_large');
  // Any other error beside a timeline is one of its missing types.
  if (timeline && !cut) return timeline;
  const error = cut ?? errors[0];
  const code = error?.extensions?.code;
  throw new Fault(
    isFaultCode(code) ? code : 'invalid_request',
    error?.message ?? 'There is no such patient.',
  );
}

/** Returns all texts of an entry, without names of types. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(' ');
  if (typeof value !== 'object' || value === null)
    return typeof value === 'boolean' ? '' : String(value ?? '');
  return Object.entries(value)
    .filter(([name]) => name !== '__typename' && name !== 'id')
    .map(([, child]) => textOf(child))
    .join(' ');
}
