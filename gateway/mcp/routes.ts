import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { withDecimals } from '../../schema/fhir/decimal.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { refuseCrossSite } from '../smart/server/request.ts';
import { describeSchema } from './describe-schema.ts';
import { query } from './query.ts';
import { renderedImage } from './rendered-image.ts';
import { searchTimeline } from './search-timeline.ts';
import { outcomeOfResult, ToolCall, type ToolCallDeps } from './tool-call.ts';

export interface McpOptions extends ToolCallDeps {
  /** Public base URL of the gateway. */
  baseUrl: string;
}

/** Each tool authorizes what it reads, as each request of a batch does. */
const CONFIG = {
  api: 'mcp' as const,
  serves: { interaction: 'batch' as const },
  isOffered: ({ mcp }: Tenant) => mcp.enabled,
};

/**
 * Serves the Model Context Protocol at `/mcp`, where the tenant turns it on (SM-20): streamable HTTP without sessions and
 * without streams, one message in each POST.
 */
export function mcpRoutes(options: McpOptions): FastifyPluginAsync {
  const { origin } = new URL(options.baseUrl);
  const tools = [describeSchema(options.graphs), query, searchTimeline, renderedImage];
  return async (app) => {
    // A page of another site could reach a gateway of the local network by DNS rebinding.
    app.addHook('onRequest', async (request) => refuseCrossSite(request, origin));
    app.post('/mcp', { config: CONFIG }, async (request, reply) => {
      const asked = toolNamed(request.body);
      const { name } = tools.find((tool) => tool.name === asked) ?? { name: 'unknown' };
      const call = asked === undefined ? undefined : new ToolCall(options, { request, reply }, name);
      // The library takes long to load, and most gateways never need it.
      const { answerMessage } = await import('./server.ts');
      const message = { headers: headersOf(request), body: request.body };
      const log = request.log.child({ tenant: request.tenant.key });
      const answer = await answerMessage(message, tools, { call, log });
      // The library has refused a tool that does not exist, or its arguments.
      call?.ended(outcomeOfResult(true));
      return sendAnswer(reply, answer);
    });
    app.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE'],
      url: '/mcp',
      config: CONFIG,
      handler: () => {
        const message = 'Send each message by POST: there are no streams or sessions.';
        throw new Fault('method_not_allowed', message, { allow: 'POST' });
      },
    });
  };
}

/**
 * Returns the name of the tool that a message calls.
 * @throws Fault `invalid_request` for several messages in one body, which the protocol has not had since 2025-06-18
 */
function toolNamed(body: unknown): string | undefined {
  if (Array.isArray(body))
    throw new Fault('invalid_request', 'Send one message in each request, not a batch.');
  const { method, params } = (body ?? {}) as { method?: unknown; params?: { name?: unknown } };
  return method === 'tools/call' ? String(params?.name) : undefined;
}

/** Returns the headers of the protocol. The token is for the gateway alone. */
function headersOf({ headers }: FastifyRequest): Headers {
  const passed = new Headers();
  for (const name of ['accept', 'content-type', 'mcp-protocol-version']) {
    if (headers[name] !== undefined) passed.set(name, String(headers[name]));
  }
  return passed;
}

async function sendAnswer(reply: FastifyReply, answer: Response): Promise<FastifyReply> {
  reply.code(answer.status);
  const type = answer.headers.get('content-type');
  if (type !== null) reply.type(type);
  return setCacheControl(reply, 'noStore').send(withDecimals(await answer.text()));
}
