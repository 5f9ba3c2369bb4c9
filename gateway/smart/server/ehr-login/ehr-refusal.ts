import * as oauth from 'oauth4webapi';
import { Fault } from '../../../../schema/fault/fault.ts';
import { upstreamFault } from '../../token/upstream.ts';

/** The EHR refused, or its answer is not valid. `error` is the OAuth error code. */
export class EhrRefusal extends Error {
  readonly error: string | undefined;
  /** True when the EHR itself gave the error, which is then a valid answer. */
  readonly said: boolean;

  /** @param reason for our log, without tokens and texts of the EHR */
  constructor(reason: string, error?: string, said = false) {
    super(reason);
    this.name = 'EhrRefusal';
    this.error = error;
    this.said = said;
  }
}

/** Runs an exchange, and throws errors of the protocol as EhrRefusal, without their texts and causes, which may have tokens. */
export async function believed<T>(exchange: () => Promise<T>): Promise<T> {
  try {
    return await exchange();
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
      throw new EhrRefusal('the EHR answered with an error', error.error, true);
    }
    if (error instanceof oauth.WWWAuthenticateChallengeError) {
      throw new EhrRefusal('the EHR does not know our client', 'invalid_client');
    }
    if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
      throw new EhrRefusal(`the EHR's answer is not valid: ${error.code ?? error.name}`);
    }
    if (error instanceof Fault) throw error;
    throw upstreamFault('gave an answer that is not valid', new Error((error as Error).name));
  }
}
