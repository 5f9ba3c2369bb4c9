import type { FastifyPluginAsync } from 'fastify';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { nothingAtPath } from '../../schema/fault/refusals.ts';
import { isSameSecret } from '../http/same-secret.ts';
import { bearerToken } from '../smart/token/bearer.ts';
import type { SelfTest } from './self-test.ts';

/**
 * Serves `GET /{tenant}/self-test` to the holder of the operator's key (SM-18). No token of any tenant opens it. Without
 * a key in the environment, it answers 404.
 * @param operatorKey OPERATOR_KEY
 */
export function selfTestRoutes(selfTest: SelfTest, operatorKey: string | undefined): FastifyPluginAsync {
  return async (app) => {
    app.get('/self-test', { config: { open: true, api: 'page' } }, async ({ tenant, raw, query }, reply) => {
      if (operatorKey === undefined) throw nothingAtPath();
      const key = bearerToken(raw);
      if (key === undefined) throw new Fault('unauthenticated', 'Send the operator’s key as a bearer token.');
      if (!isSameSecret(key, operatorKey))
        throw new Fault('invalid_token', 'This is not the operator’s key.');
      const { patient } = query as { patient?: string };
      return setCacheControl(reply, 'noStore').send(
        await selfTest(tenant, typeof patient === 'string' ? patient : undefined),
      );
    });
  };
}
