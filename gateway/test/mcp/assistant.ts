/** An assistant for the tests: the client of the protocol's own library, and the person who signs in for it. */
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { OAuthClientInformationFull, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { Browser, ticked } from '../../smart/server/test/started.ts';

const REDIRECT = 'http://127.0.0.1:9/assistant';

/** Remembers what OAuth needs between its steps, as an assistant on the user's machine does. */
export class Login implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT;
  readonly clientMetadata: OAuthClientProvider['clientMetadata'];
  /** Where the user's browser is sent to. */
  sentTo: URL | undefined;
  client: OAuthClientInformationFull | undefined;
  #tokens: OAuthTokens | undefined;
  #verifier = '';

  constructor(metadata: { scope?: string } = {}) {
    this.clientMetadata = {
      client_name: 'An assistant',
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      ...metadata,
    };
  }

  clientInformation(): OAuthClientInformationFull | undefined {
    return this.client;
  }

  saveClientInformation(client: unknown): void {
    this.client = client as OAuthClientInformationFull;
  }

  tokens(): OAuthTokens | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens;
  }

  redirectToAuthorization(url: URL): void {
    this.sentTo = url;
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }
}

/** Does in the browser what the user does: signs in as a patient, and allows everything. @returns the code */
async function allowed(signIn: URL, patient: string): Promise<string> {
  const browser = new Browser(signIn.origin);
  const page = await browser.open(signIn.href);
  const consent = await browser.submit(page, [['account', `Patient/${patient}`]]);
  const boxes = ticked(consent).map((box): [string, string] => ['scope', box]);
  const done = await browser.submit(consent, [...boxes, ['step', 'allow']]);
  return new URL(done.url).searchParams.get('code') ?? `no code: ${done.url} ${done.html}`;
}

/** Signs a patient in for an assistant that knows only the address. @returns the access token */
export async function signInByAddress(url: string, patient: string, login = new Login()): Promise<string> {
  await auth(login, { serverUrl: url });
  await auth(login, { serverUrl: url, authorizationCode: await allowed(login.sentTo!, patient) });
  return login.tokens()!.access_token;
}

/** A connected client with short forms for its calls. */
export interface Assistant {
  client: Client;
  call(name: string, input?: Record<string, unknown>): Promise<CallToolResult>;
  /** Returns the text of a result. */
  text(name: string, input?: Record<string, unknown>): Promise<string>;
  /** Returns the data of a query. */
  data(query: string): Promise<Record<string, Record<string, unknown>[]>>;
}

/** Connects to `{url}`. @param authorization a token, none, or what OAuth needs */
export async function connected(url: string, authorization?: string | Login): Promise<Assistant> {
  const client = new Client({ name: 'test', version: '1' });
  const options =
    typeof authorization === 'string'
      ? { requestInit: { headers: { authorization: `Bearer ${authorization}` } } }
      : authorization && { authProvider: authorization };
  const transport = new StreamableHTTPClientTransport(new URL(url), options);
  await client.connect(transport as Transport);
  const call = async (name: string, input: Record<string, unknown> = {}) =>
    (await client.callTool({ name, arguments: input })) as CallToolResult;
  return {
    client,
    call,
    text: async (name, input) => textOf(await call(name, input)),
    async data(query) {
      const { data } = JSON.parse(textOf(await call('query', { query }))) as { data: unknown };
      return data as Record<string, Record<string, unknown>[]>;
    },
  };
}

/** Returns the texts of a result. */
export function textOf({ content }: CallToolResult): string {
  return content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}
