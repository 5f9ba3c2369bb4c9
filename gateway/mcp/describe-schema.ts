import { z } from 'zod';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { utf8 } from '../../schema/process/texts.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { Graphs } from '../federation/graph/graphs.ts';
import { SchemaGuide, type Described } from './schema-guide.ts';
import { answered, argumentsOf, toolOf, type Tool } from './tool.ts';

/** Describes types and fields of the graph in small portions (SM-20). */
export function describeSchema(graphs: Pick<Graphs, 'api'>): Tool {
  let known: { sdl?: Uint8Array; guide: SchemaGuide } = { guide: new SchemaGuide('') };
  const guide = (): SchemaGuide => {
    const { sdl } = graphs.api;
    if (known.sdl !== sdl) known = { sdl, guide: new SchemaGuide(utf8(sdl)) };
    return known.guide;
  };
  return toolOf({
    name: 'describe_schema',
    title: 'Read about the schema',
    description:
      'Describes the GraphQL schema in small portions. Give a type to see its fields, a type and a field to see all ' +
      'arguments of the field (lists have so many that the type shows none), or search for words. Useful types: Query, ' +
      'Patient, ImagingStudy, DiagnosticReport, Observation, Timeline, Trend.',
    input: argumentsOf({
      type: z.string().max(100).optional().describe('Name of a type, such as Patient'),
      field: z.string().max(100).optional().describe('Name of a field of that type, such as timeline'),
      search: z
        .string()
        .max(200)
        .optional()
        .describe('Words that a type or field has in its name or description'),
      offset: z.int().min(0).default(0).describe('`next` of the answer before, to read the rest'),
    }),
    async run({ type, field, search, offset }): Promise<CallToolResult> {
      const described = await describe(guide(), { type, field, search, offset });
      const rest = described.next === undefined ? '' : `\nThere is more: give offset ${described.next}.`;
      return answered(described.text + rest);
    },
  });
}

interface Asked {
  type: string | undefined;
  field: string | undefined;
  search: string | undefined;
  offset: number;
}

function describe(
  guide: SchemaGuide,
  { type, field, search, offset }: Asked,
): Promise<Described> | Described {
  if (search !== undefined && type === undefined && field === undefined) return guide.search(search, offset);
  if (search !== undefined || type === undefined) {
    throw new Fault('invalid_request', 'Give a type, a type and a field, or words to search for.');
  }
  return field === undefined ? guide.type(type, offset) : guide.field(type, field);
}
