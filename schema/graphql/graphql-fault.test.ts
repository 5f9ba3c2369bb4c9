import { GraphQLError } from 'graphql';
import { describe, expect, it } from 'vitest';
import { Fault } from '../fault/fault.ts';
import { faultsAsErrors, toGraphqlError } from './graphql-fault.ts';

describe('faults as GraphQL errors', () => {
  const fault = new Fault('bad_gateway', 'Down.', { service: 'clinical' });

  it.each([
    [
      'thrown',
      () => {
        throw fault;
      },
    ],
    ['rejected', () => Promise.reject(fault)],
  ])('FG-10 %s', async (_how, resolver) => {
    const resolve = faultsAsErrors<unknown, unknown, unknown>(resolver);
    const error = await Promise.resolve()
      .then(() => resolve({}, {}, {}, undefined as never))
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(GraphQLError);
    expect(error).toMatchObject({
      message: 'Down.',
      extensions: { code: 'bad_gateway', status: 502, service: 'clinical' },
      originalError: fault,
    });
  });

  it('SM-14 hides the text of any other error', () => {
    expect(toGraphqlError(new TypeError('secret'))).toMatchObject({
      extensions: { code: 'internal', status: 500 },
    });
    expect(toGraphqlError(new TypeError('secret')).message).not.toContain('secret');
  });

  it('passes values and promises through', async () => {
    expect(faultsAsErrors(() => 1)({}, {}, {}, undefined as never)).toBe(1);
    expect(await faultsAsErrors(async () => 2)({}, {}, {}, undefined as never)).toBe(2);
  });
});
