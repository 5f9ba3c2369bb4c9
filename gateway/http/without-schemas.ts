import type { FastifyServerOptions } from 'fastify';

const unused = () => {
  throw new Error('Routes of this server declare no JSON schemas.');
};

/** For Fastify: no route declares a JSON schema, so the compilers for them, 120 modules, are not loaded at each start. */
export const WITHOUT_SCHEMAS: Pick<FastifyServerOptions, 'schemaController'> = {
  schemaController: { compilersFactory: { buildValidator: unused, buildSerializer: unused } },
};
