import type { FastifyInstance } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/access/audit.ts';
import { toFault } from '../../schema/fault/fault.ts';
import { logFault } from '../../schema/fault/log-fault.ts';
import { clientLeft } from '../../schema/http/client-left.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { collector } from './collected.ts';
import { toWire } from './wire.ts';

/** For whom a function of a subgraph is called by another process. */
export interface FunctionCaller {
  tenant: Tenant;
  access: Access;
  signal: AbortSignal;
  audit: RecordOperation;
}

/** Takes and returns what JSON can hold. */
export type ServedFunction = (caller: FunctionCaller, asked: never) => Promise<unknown>;

/** Serves functions of a subgraph to other processes of the gateway, below `/{tenant}/functions`. */
export function serveFunctions(
  app: FastifyInstance,
  functions: Readonly<Record<string, ServedFunction>>,
): void {
  for (const [name, run] of Object.entries(functions)) {
    // Open: the process that asks records what is done for it.
    app.post(`/functions/${name}`, { config: { open: true, internal: true } }, async (request, reply) => {
      const { access, audit, collected } = collector(request, reply);
      const { tenant, body, log } = request;
      try {
        // eslint-disable-next-line no-restricted-syntax -- each function has its own type of body; the processes have one version
        const value = await run({ tenant, access, audit, signal: clientLeft(reply) }, body as never);
        return { value, ...collected() };
      } catch (error) {
        const fault = toFault(error);
        logFault(log, fault, { tenant: tenant.key, function: name }, 'a function failed');
        return { fault: toWire(fault), ...collected() };
      }
    });
  }
}
