import * as oauth from 'oauth4webapi';
import { Fault } from '../../../../schema/fault/fault.ts';
import { nonsense } from '../../token/upstream.ts';

/** The EHR did not answer with what was asked for. `error` is its own OAuth error, where it gave one. */
export class EhrRefusal extends Error {
  readonly error: string | undefined;
  /** Whether the EHR itself said so: it may, and nothing is wrong with it. */
  readonly said: boolean;

  /** @param reason for our log: never a token, and no word of the EHR's */
  constructor(reason: string, error?: string, said = false) {
    super(reason);
    this.name = 'EhrRefusal';
    this.error = error;
    this.said = said;
  }
}

/** Errors of the protocol as refusals. Their own texts and causes may hold tokens: none of it is kept. */
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
    throw nonsense('answered in a way that cannot be understood', new Error((error as Error).name));
  }
}
