import { GraphQLError, parse, type DocumentNode } from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Limits } from './limits.ts';
import { requireShallow } from './document-limits.ts';

/** Parses the text of a client. @throws Fault `invalid_request` */
export function parseDocument(text: string, limits: Limits): DocumentNode {
  requireShallow(text, limits);
  try {
    return parse(text, { noLocation: true, maxTokens: limits.tokens });
  } catch (error) {
    throw error instanceof GraphQLError
      ? new Fault('invalid_request', error.message, { cause: error })
      : error;
  }
}
