import { z } from 'zod';
import { withDecimals } from '../../schema/fhir/decimal.ts';
import { answered, argumentsOf, requireShort, toolOf } from './tool.ts';

const ADVICE =
  'Ask for less: select fewer fields, give _count, or read a page of a Connection (_count: 20) and continue with _cursor.';

/** Runs a GraphQL query (SM-20). */
export const query = toolOf({
  name: 'query',
  title: 'Query the record and the images',
  description:
    'Runs a read-only GraphQL query over the clinical record (FHIR R4) and the imaging studies. Types and names of search ' +
    'parameters are those of FHIR, with _ for -. Call describe_schema first for types that you have not read about. ' +
    'Select only the fields that you need. An error beside the data concerns only the field at its path.',
  input: argumentsOf({
    query: z.string().min(1).describe('The GraphQL document, with one query'),
    variables: z.record(z.string(), z.unknown()).optional().describe('Values of the variables of the query'),
    operationName: z.string().optional().describe('The query to run, if the document has several'),
  }),
  async run(input, call) {
    const text = await call.graph(input);
    requireShort(text, ADVICE);
    const answer = JSON.parse(text) as { data?: Record<string, unknown> | null; errors?: unknown[] };
    const hasData = Object.values(answer.data ?? {}).some((value) => value !== null);
    const result = answered(withDecimals(text));
    return answer.errors && !hasData ? { ...result, isError: true } : result;
  },
});
