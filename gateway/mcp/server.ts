import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { outcomeOf } from '../../schema/access/audit.ts';
import { toFault } from '../../schema/fault/fault.ts';
import { logFault, type FaultLog } from '../../schema/fault/log-fault.ts';
import { INSTRUCTIONS } from './instructions.ts';
import { outcomeOfResult, type ToolCall } from './tool-call.ts';
import { toolError, type Tool } from './tool.ts';

const IDENTITY = { name: 'smart-imaging-gateway', title: 'SMART Imaging Gateway', version: '1' };
/** The library asks for an address, and does not use it. */
const ADDRESS = 'http://localhost/mcp';
/** All tools read what the gateway has, and nothing else. */
const ANNOTATIONS = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};

export interface Message {
  headers: Headers;
  /** The parsed body: one message of JSON-RPC. */
  body: unknown;
}

/**
 * Answers one message of the Model Context Protocol, by a server and a transport that live for this message only: several
 * gateways may answer the messages of one client in turn.
 * @param call opens the call of a tool that the message asks for
 * @returns 200 with the answer as JSON; 202 for a notification; 400, 406 or 415 for a request against the protocol
 */
export async function answerMessage(
  { headers, body }: Message,
  tools: readonly Tool[],
  { call, log }: { call: ToolCall | undefined; log: FaultLog },
): Promise<Response> {
  const server = new McpServer(IDENTITY, { instructions: INSTRUCTIONS, capabilities: { tools: {} } });
  for (const tool of tools) {
    const { name, title, description, input } = tool;
    server.registerTool(name, { title, description, inputSchema: input, annotations: ANNOTATIONS }, (given) =>
      called(tool, given, { call: call!, log }),
    );
  }
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  await server.connect(transport);
  try {
    return await transport.handleRequest(new Request(ADDRESS, { method: 'POST', headers }), {
      parsedBody: body,
    });
  } finally {
    await server.close();
  }
}

/** Runs a tool. A fault becomes a tool error, so that the assistant learns what to do. */
async function called(
  tool: Tool,
  input: unknown,
  { call, log }: { call: ToolCall; log: FaultLog },
): Promise<CallToolResult> {
  try {
    const result = await tool.run(input, call);
    call.ended(outcomeOfResult(result.isError));
    return result;
  } catch (error) {
    const fault = toFault(error);
    logFault(log, fault, { tool: tool.name }, 'a tool failed');
    call.ended(outcomeOf(fault));
    return toolError(fault);
  }
}
