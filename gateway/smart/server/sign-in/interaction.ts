import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { FHIR_ID } from '../../../../schema/fhir/fhir.ts';
import type { App } from './consent.ts';
import { consentPage, patientPage } from './consent.ts';
import { needsPatient, NO_DATA, opensNothing } from '../clients/grantable.ts';
import type { Asked, Identify, Person, User } from './identify.ts';
import type { Context } from './launch.ts';
import type { TenantServer } from '../tenant-server.ts';
import { LIFETIMES } from '../lifetimes.ts';

/** Answer to the browser: a page, with a status other than 200 if needed, or a redirect. */
export type Step = { html: string; redirectUri?: string; status?: number } | { location: string };

/** A running authorization, as the provider keeps it. */
type Interaction = Awaited<ReturnType<TenantServer['provider']['interactionDetails']>>;

/** Key in the interaction's last submission for the name of the EHR's answer. */
const LOGIN = 'ehrLogin';

function loginOf({ lastSubmission }: Interaction): string | undefined {
  const login = lastSubmission?.[LOGIN];
  return typeof login === 'string' ? login : undefined;
}

/** Returns the seconds for which a grant can be used: without a refresh token, those of its code and access token. */
function lifetimeOf(scopes: readonly string[]): number {
  if (scopes.includes('offline_access')) return LIFETIMES.Grant;
  if (scopes.includes('online_access')) return LIFETIMES.Session;
  return LIFETIMES.AuthorizationCode + LIFETIMES.AccessToken;
}

/** Time that a consent waits for the same consent, if it was sent twice. */
const MEANWHILE_MILLISECONDS = 1000;
const POLL_MILLISECONDS = 25;

/** A request of the browser, and its answer. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

const denied = (description: string) => ({ error: 'access_denied', description });

/** The interaction has ended, or belongs to another browser. */
export class NoInteraction extends Error {}

/** The user's steps between the app's request and its answer: sign-in, choice of a patient, consent. */
export class InteractionSteps {
  readonly #server: TenantServer;
  readonly #identify: Identify;

  constructor(server: TenantServer, identify: Identify) {
    this.#server = server;
    this.#identify = identify;
  }

  /** Shows the current step. @param find part of a name, if the user looks for one @throws NoInteraction */
  async show(uid: string, request: IncomingMessage, response: ServerResponse, find?: string): Promise<Step> {
    const interaction = await this.#find(uid, request, response);
    const app = await this.#app(interaction);
    const known = this.#atOnce(interaction);
    if (interaction.prompt.name === 'login') {
      if (known) return this.#signIn(interaction, { user: known }, { request, response });
      const { login_hint: hint } = interaction.params;
      const asked = await this.#identify.ask(this.#server.tenant, {
        uid,
        app: app.name,
        action: this.#action(uid),
        scopes: this.#scopes(interaction),
        ...(typeof hint === 'string' && { loginHint: hint }),
        find,
      });
      return this.#stepOf(interaction, asked, { request, response });
    }
    return this.#consent(interaction, app, new URLSearchParams(), { request, response });
  }

  /** Reads the user's form, and returns the next step. @throws NoInteraction */
  async answer(
    uid: string,
    form: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Step> {
    const interaction = await this.#find(uid, request, response);
    // The button was pressed twice.
    if (interaction.result?.consent) return { location: interaction.returnTo };
    if (form.get('step') === 'deny') {
      return this.#fail(interaction, denied('The user did not agree.'), { request, response });
    }
    if (interaction.prompt.name !== 'login') {
      const app = await this.#app(interaction);
      return this.#consent(interaction, app, form, { request, response }).catch((error: unknown) => {
        if (!(error instanceof NoInteraction)) throw error;
        return this.#consentedMeanwhile(uid, request, response);
      });
    }
    if (form.get('step') === 'find') return this.show(uid, request, response, form.get('name') ?? '');
    const user = await this.#identify.answer(this.#server.tenant, form);
    if (!user) return { ...(await this.show(uid, request, response)), status: 403 };
    return this.#signIn(interaction, { user }, { request, response });
  }

  /**
   * Returns where a browser that comes back from an EHR goes on: to the interaction that sent it. There the cookie shows
   * whether it is the same browser.
   * @throws NoInteraction
   */
  async callback(query: URLSearchParams): Promise<string> {
    const uid = await this.#identify.delegation?.interactionOf(query.get('state') ?? '');
    if (uid === undefined) throw new NoInteraction();
    return `${this.#action(uid)}/returned?${query.toString()}`;
  }

  /**
   * Reads the EHR's answer, from the browser that was sent there.
   * @throws NoInteraction also for an answer that this interaction did not request, or that came before
   */
  async returned(
    uid: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Step> {
    const interaction = await this.#find(uid, request, response);
    const { delegation } = this.#identify;
    if (interaction.prompt.name !== 'login' || !delegation) throw new NoInteraction();
    const proved = await delegation.returned(this.#server.tenant, uid, query);
    if (!proved) throw new NoInteraction();
    const exchange = { request, response };
    if (!('user' in proved)) return this.#stepOf(interaction, proved, exchange);
    return this.#signIn(interaction, { user: proved.user, more: { [LOGIN]: proved.login } }, exchange);
  }

  async #signIn(
    interaction: Interaction,
    { user, more = {} }: { user: User; more?: Record<string, unknown> },
    exchange: Exchange,
  ): Promise<Step> {
    const result = { login: { accountId: user.account, remember: false }, ...more };
    const location = await this.#submit(exchange, result);
    await this.#signOutOthers(interaction, user);
    return { location };
  }

  async #stepOf(interaction: Interaction, asked: Asked, exchange: Exchange): Promise<Step> {
    if (!('error' in asked)) return asked;
    return this.#fail(interaction, asked, exchange);
  }

  async #consent(
    interaction: Interaction,
    app: App,
    form: URLSearchParams,
    exchange: Exchange,
  ): Promise<Step> {
    const { tenant } = this.#server;
    const user = await this.#identify.user(tenant, interaction.session?.accountId ?? '');
    if (!user) {
      return this.#fail(interaction, denied('There is no such user any more.'), exchange);
    }
    const scopes = this.#scopes(interaction);
    const context = await this.#context(interaction, user, scopes, form);
    if (context === 'refused') {
      return this.#fail(interaction, denied('This user may not open that patient.'), exchange);
    }
    if ('choose' in context) {
      const choice = { find: form.get('name') ?? '', action: this.#action(interaction.uid) };
      return { html: patientPage(app, { patients: context.choose, ...choice }), ...app };
    }
    const { patient, ...rest } = context;
    const asked = { user, patient, scopes, action: this.#action(interaction.uid) };
    const isAtOnce = this.#atOnce(interaction)?.account === user.account;
    if (form.get('step') !== 'allow' && !isAtOnce) return { html: consentPage(app, asked), ...app };
    const ticked = new Set(isAtOnce ? scopes : form.getAll('scope'));
    const granted = scopes.filter((scope) => NO_DATA.includes(scope) || ticked.has(scope));
    if (opensNothing(granted) && !opensNothing(scopes)) {
      return { html: consentPage(app, { ...asked, ticked }), ...app };
    }
    const launched = { ...rest, ...(patient && { patient: patient.id }), ...this.#fhirUser(user) };
    const grantId = await this.#grant(interaction, user, { scopes, granted }, launched);
    const login = loginOf(interaction);
    const { delegation } = this.#identify;
    if (delegation && !(await delegation.granted(login ?? '', grantId, lifetimeOf(granted)))) {
      throw new NoInteraction();
    }
    const { launch } = interaction.params;
    if (typeof launch === 'string') await this.#server.contexts.end(launch);
    const result = { consent: { grantId } };
    return { location: await this.#submit(exchange, result) };
  }

  /**
   * Answers the second of two equal consents. The EHR's answer counts only for the first one; the second follows its
   * redirect.
   * @throws NoInteraction when there is no other
   */
  async #consentedMeanwhile(uid: string, request: IncomingMessage, response: ServerResponse): Promise<Step> {
    for (let waited = 0; waited < MEANWHILE_MILLISECONDS; waited += POLL_MILLISECONDS) {
      const { result, returnTo } = await this.#find(uid, request, response);
      if (result?.consent) return { location: returnTo };
      await delay(POLL_MILLISECONDS);
    }
    throw new NoInteraction();
  }

  /** Returns the context with the patient of the launch, or with the one whom the user chooses. */
  async #context(
    interaction: Interaction,
    user: User,
    scopes: readonly string[],
    form: URLSearchParams,
  ): Promise<
    | { patient?: Person; encounter?: string; needPatientBanner: boolean }
    | { choose: readonly Person[] }
    | 'refused'
  > {
    const { launch: id } = interaction.params;
    const launch = typeof id === 'string' ? await this.#server.contexts.find(id) : undefined;
    if (id !== undefined && !launch) return 'refused';
    if (!launch && !needsPatient(scopes)) return { needPatientBanner: true };
    const open = await this.#identify.patients(this.#server.tenant, user, loginOf(interaction));
    // The EHR's answer was already used, or was kept too long.
    if (this.#identify.delegation && open.length === 0) throw new NoInteraction();
    const given = launch?.patient ?? form.get('patient');
    const shown = given === null ? await this.#likely(interaction, user, scopes, open) : open;
    const named = given ?? (shown.length === 1 ? shown[0]!.id : undefined);
    if (named === undefined) return { choose: shown };
    const patient = FHIR_ID.test(named) ? open.find((person) => person.id === named) : undefined;
    if (!patient) return 'refused';
    const { encounter, needPatientBanner = true } = launch ?? {};
    return { patient, ...(encounter && { encounter }), needPatientBanner };
  }

  /**
   * Returns those of the patients whose study the app names (`study_hint`); all when it names none of theirs. It is asked only
   * now: the user is known, and learns of no other patient. Where nobody would confirm the patient, the user chooses.
   */
  async #likely(
    interaction: Interaction,
    user: User,
    scopes: readonly string[],
    open: readonly Person[],
  ): Promise<readonly Person[]> {
    const { study_hint: study, client_id: client } = interaction.params;
    if (typeof study !== 'string' || open.length < 2 || this.#atOnce(interaction)) return open;
    const token = {
      client_id: String(client),
      sub: user.account,
      scope: scopes.join(' '),
      ...(scopes.includes('fhirUser') && this.#fhirUser(user)),
    };
    const ids = await this.#identify.ofStudy?.(this.#server.tenant, { study, token });
    const likely = open.filter(({ id }) => ids?.includes(id));
    return likely.length > 0 ? likely : open;
  }

  async #grant(
    interaction: Interaction,
    user: User,
    { scopes, granted }: { scopes: readonly string[]; granted: readonly string[] },
    context: Context,
  ): Promise<string> {
    const { provider, contexts, consents } = this.#server;
    const clientId = String(interaction.params['client_id']);
    // The tenant's FHIR base, unless the client named another URL of the tenant.
    const resource = String(interaction.params['resource']);
    const grant = new provider.Grant({ accountId: user.account, clientId });
    // OpenID Connect's claims depend on the first list, tokens on the second. Refused scopes are set too, or the provider
    // would ask again.
    const refused = scopes.filter((scope) => !granted.includes(scope));
    grant.addOIDCScope(granted.join(' '));
    grant.addResourceScope(resource, granted.join(' '));
    if (refused.length > 0) {
      grant.rejectOIDCScope(refused.join(' '));
      grant.rejectResourceScope(resource, refused.join(' '));
    }
    const grantId = await grant.save();
    await contexts.keep(grantId, context, LIFETIMES.Grant);
    if (interaction.session) await consents.remember(interaction.session.uid, clientId, grantId);
    return grantId;
  }

  /** Ends another user's session in this browser, and with it their online access. */
  async #signOutOthers({ session: before }: Interaction, user: User): Promise<void> {
    if (!before || before.accountId === user.account) return;
    const session = await this.#server.provider.Session.findByUid(before.uid);
    if (!session) return;
    Object.assign(session, { accountId: undefined, authorizations: undefined });
    await session.persist();
  }

  /** Returns the interaction of this browser: its cookie and the URL of the page must match. */
  async #find(uid: string, request: IncomingMessage, response: ServerResponse): Promise<Interaction> {
    const interaction = await this.#server.provider
      .interactionDetails(request, response)
      .catch(() => undefined);
    if (interaction?.uid !== uid) throw new NoInteraction();
    return interaction;
  }

  /** Ends the interaction with an error for the app, and revokes tokens that an EHR gave for it. */
  async #fail(
    interaction: Interaction,
    { error, description }: { error: string; description: string },
    exchange: Exchange,
  ): Promise<Step> {
    const login = loginOf(interaction);
    if (login !== undefined) await this.#identify.delegation?.denied(login);
    const result = { error, error_description: description };
    return { location: await this.#submit(exchange, result) };
  }

  /** Submits a result. @returns where the browser goes on @throws NoInteraction when it has expired meanwhile */
  async #submit({ request, response }: Exchange, result: Record<string, unknown>): Promise<string> {
    try {
      return await this.#server.provider.interactionResult(request, response, result);
    } catch (error) {
      throw (error as Error).name === 'SessionNotFound' ? new NoInteraction() : error;
    }
  }

  /** Returns the user who needs no page, for a request that names them. */
  #atOnce({ params }: Interaction): User | undefined {
    const { client_id: client, login_hint: hint } = params;
    return this.#identify.atOnce?.(this.#server.tenant, { client: String(client), hint });
  }

  /** Returns the requested scopes that the app may get. */
  #scopes({ params }: Interaction): string[] {
    return this.#server.appScopes(String(params['scope'] ?? ''), String(params['client_id']));
  }

  async #app({ params }: Interaction): Promise<App> {
    const client = await this.#server.provider.Client.find(String(params['client_id']));
    if (!client) throw new NoInteraction();
    return { name: client.clientName ?? client.clientId, redirectUri: String(params['redirect_uri']) };
  }

  #fhirUser({ fhirUser }: User): { fhirUser?: string } {
    return fhirUser ? { fhirUser: `${this.#server.resource}/${fhirUser}` } : {};
  }

  #action = (uid: string) => `${new URL(this.#server.issuer).pathname}/interaction/${uid}`;
}
