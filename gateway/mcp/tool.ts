import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { Fault, faultExtensions } from '../../schema/fault/fault.ts';
import { nearestName, quotedName } from '../../schema/fhir/nearest-name.ts';
import type { ToolCall } from './tool-call.ts';

/** A tool of the Model Context Protocol. All tools only read (SM-20). */
export interface Tool {
  name: string;
  title: string;
  /** For the assistant: when to call it, and what it gives. */
  description: string;
  input: z.ZodObject;
  /** @param input has been checked against the schema. @throws Fault, which becomes a tool error */
  run(input: unknown, call: ToolCall): Promise<CallToolResult>;
}

/** Declares a tool, whose input has the type of its schema. */
export function toolOf<Input extends z.ZodObject>(
  tool: Omit<Tool, 'input' | 'run'> & {
    input: Input;
    run(input: z.infer<Input>, call: ToolCall): Promise<CallToolResult>;
  },
): Tool {
  return { ...tool, run: (input, call) => tool.run(input as z.infer<Input>, call) };
}

/** Largest answer of a tool, in characters: more would displace everything else from the memory of an assistant. */
const MOST_CHARACTERS = 100_000;

/** Refuses an answer that is too long. @param advice what to do then. @throws Fault `too_large` */
export function requireShort({ length }: string, advice: string): void {
  if (length <= MOST_CHARACTERS) return;
  const message = `The answer has ${length} characters, and a tool gives at most ${MOST_CHARACTERS}.`;
  throw new Fault('too_large', `${message} ${advice}`);
}

/**
 * Returns a result as text. It is not sent again as structured content (MCP 2025-06-18, "Structured Content"): clients of every
 * version read text, several read nothing else, and some give both to their model. No tool declares a schema of its output.
 */
export function answered(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] };
}

/** Returns the schema of a tool's arguments. Its refusal of an unknown one names those that there are. */
export function argumentsOf<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = Object.keys(shape);
  return z.strictObject(shape, {
    error: ({ code, keys }) => {
      if (code !== 'unrecognized_keys') return undefined;
      const unknown = (keys as string[]).map(
        (key) => `There is no argument ${quotedName(key)}. Did you mean ${nearestName(key, names)}?`,
      );
      return `${unknown.join(' ')} The arguments are ${names.join(', ')}.`;
    },
  });
}

/** Returns the tool error of a fault: its code, and its message, which says what to do. */
export function toolError(fault: Fault): CallToolResult {
  const { code, message } = fault;
  const { retryAfter } = fault.details;
  const again =
    retryAfter === undefined ? '' : ` Call the tool again after ${Math.ceil(retryAfter)} seconds.`;
  return {
    isError: true,
    content: [{ type: 'text', text: `${code}: ${message}${again}` }],
    structuredContent: { errors: [{ message, ...faultExtensions(fault) }] },
  };
}
