import { tenantBase } from '../../schema/http/request.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { analystsOf } from '../smart/server/sign-in/demonstration.ts';
import type { Person } from '../smart/server/sign-in/identify.ts';
import { escaped, isolated } from '../smart/server/sign-in/page.ts';
import { firstRequest, requestCommand } from './first-request.ts';
import { htmlPage, link, type PageParts } from './html-page.ts';
import { withFacts } from './page-facts.ts';
import { serversOf } from './reachable.ts';
import { PICTURE, REQUEST_FACTS, SCRIPT, STYLE } from './start-page-parts.ts';

/** Content of the start page. */
export interface StartFacts {
  baseUrl: string;
  version: string;
  /** False while records are loaded. */
  isReady: boolean;
  /** True when `/metrics` is on this port. */
  metrics: boolean;
  tenants: readonly Tenant[];
  /** The tenant to which the page leads; without it, the page shows nothing of its tenants. */
  lead: Tenant | undefined;
  /** Whether the servers of a tenant can be reached, by its key; undefined when it is not known yet. */
  reached: ReadonlyMap<string, boolean | undefined>;
  /** The people of the demonstration's sign-in. */
  people: readonly Person[];
  /** The token of visitors, and the patient whom it is for. */
  visitor?: { tenant: Tenant; patientId: string; token: string } | undefined;
}

const TITLE = 'SMART Imaging Gateway';
/** The tenant of the shipped population. */
const POPULATION = 'population';
const MOST_PEOPLE = 20;

/** Tells whether anybody may use a tenant: without a token, or by a sign-in without a password. */
const isDemonstration = ({ authorization: { type } }: Tenant) => type === 'mock' || type === 'embedded';

/** Tells whether a tenant needs other servers. */
export const needsOthers = (tenant: Tenant) => serversOf(tenant).length > 0;

/** A tenant whose images never arrive, for tests of clients. */
const isDelayed = ({ images }: Tenant) =>
  images.some(({ delay }) => Math.max(delay.lookupUntil, delay.retrieveUntil) * 1000 > Date.now());

/** Tells whether a tenant answers whatever happens to other servers. */
const isWorking = (tenant: Tenant) => !needsOthers(tenant) && !isDelayed(tenant);

/**
 * Returns the tenant to which the page leads: the demonstration, or the first that needs no other server. undefined on a server
 * where nobody can try anything: its page shows nothing of its tenants.
 */
export function leadOf(tenants: readonly Tenant[], visited?: Tenant): Tenant | undefined {
  const open = tenants.filter(isDemonstration);
  const working = open.filter(isWorking);
  return visited ?? working.find(({ key }) => key === 'demo') ?? working[0] ?? open[0];
}

/** Writes the start page. Its links are relative: the gateway may have a path prefix. */
export function startPageText(facts: StartFacts): { html: string; parts: PageParts } {
  const { lead } = facts;
  if (!lead) return { html: htmlPage(TITLE, `<dl>${basics(facts)}</dl>`), parts: {} };
  const parts = { style: STYLE, script: SCRIPT };
  const { fact, text } = requestPart(facts, lead);
  const html = htmlPage(
    TITLE,
    `<p class="lead">One SMART on FHIR token, one request: a patient’s record and a patient’s images.</p>
${PICTURE}${ways(facts, lead)}${text}${peoplePart(facts.people)}${statePart(facts)}${tenantsPart(facts, lead)}`,
    parts,
  );
  return { html: withFacts(html, REQUEST_FACTS, fact), parts };
}

const path = ({ key }: Tenant) => encodeURIComponent(key);

const basics = ({ version, isReady }: StartFacts) =>
  `<dt>Version<dd>${escaped(version)}<dt>Health<dd>${link('health/ready', isReady ? 'ready' : 'loading records')}`;

/** Returns a tenant that has the same record and needs no token. */
const withoutToken = ({ tenants }: StartFacts, { clinical }: Tenant) =>
  tenants.filter(isWorking).find((tenant) => isOpen(tenant) && sameRecord(tenant.clinical, clinical));

function ways(facts: StartFacts, lead: Tenant): string {
  const way = (href: string, title: string, text: string) =>
    `<li><a href="${href}"><strong>${title}</strong>${text}</a>`;
  const signIn = lead.authorization.type === 'embedded' ? ' Sign in with one click, without a password.' : '';
  const { visitor, tenants, baseUrl } = facts;
  const hasAnalyst = (tenant: Tenant) => analystsOf(tenant, baseUrl).length > 0;
  const analyst = tenants.find((tenant) => tenant.key === POPULATION && hasAnalyst(tenant));
  const open = withoutToken(facts, lead);
  // The sign-in of a person is for one patient.
  const all = [
    hasAnalyst(lead) && 'sign in there as analyst',
    open && open !== lead && `the tenant <code>${escaped(open.key)}</code> needs no token`,
    !hasAnalyst(lead) && visitor && '<code>npm start</code> prints the command for a token',
  ].filter(Boolean);
  const ofAll = all.length > 0 ? ` For all patients: ${all.join('; ')}.` : '';
  return `<nav aria-label="Ways"><ul class="ways">
${way(`app/?tenant=${path(lead)}`, 'Open the viewer', `A record with its images.${signIn}`)}
${way(`${path(lead)}/playground`, 'Open the playground', `For analysts and developers: write a query, see its answer as a table or chart.${ofAll}`)}
${analyst ? way(`${path(analyst)}/playground?analyst`, 'Sign in as analyst', 'One click: questions, also in SQL, over 1,000 invented patients, who are made at the first visit.') : ''}
${way('#request', 'Make a request', `A ready-made command${visitor ? ' with its token' : ''}.`)}</ul></nav>`;
}

/** Returns the ready-made request: with the token of visitors, or else one that needs none. */
function requestPart(facts: StartFacts, lead: Tenant): { fact: object; text: string } {
  const { baseUrl, visitor } = facts;
  const request = visitor
    ? visitorRequest(baseUrl, visitor)
    : {
        fact: { url: `${path(lead)}/fhir/metadata`, init: {} },
        command: `curl -s ${tenantBase(baseUrl, lead)}/fhir/metadata`,
        about: 'What this server can do. This request needs no token.',
      };
  const open = visitor && withoutToken(facts, visitor.tenant);
  const studies = open && `${path(open)}/fhir/ImagingStudy?patient=Patient/${visitor.patientId}`;
  return {
    fact: request.fact,
    text: `<section id="request" aria-labelledby="request-title"><h2 id="request-title">Make a request</h2><p>${request.about}</p>
<pre class="command" tabindex="0" role="region" aria-label="Command">${escaped(request.command)}</pre>
<p class="buttons" hidden><button class="send">Send it</button> <button class="copy">Copy</button></p>
<p role="status"></p><pre class="answer" tabindex="0" role="region" aria-label="Answer" hidden></pre>
${studies ? `<p>Without a token, from the tenant <code>${escaped(open.key)}</code>: ${link(studies, 'the studies of this patient')} as FHIR.</p>` : ''}</section>`,
  };
}

function visitorRequest(baseUrl: string, { tenant, patientId, token }: NonNullable<StartFacts['visitor']>) {
  const body = firstRequest(patientId);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return {
    fact: { url: `${path(tenant)}/graphql`, init: { method: 'POST', headers, body: JSON.stringify(body) } },
    command: requestCommand(tenantBase(baseUrl, tenant), token, body),
    about: `One patient’s record and images in one answer. The token is for this fictional patient only, and valid for a few minutes: reload the page
for another one. <code>npm start</code> prints commands that get a token for all patients.`,
  };
}

const isOpen = ({ authorization }: Tenant) =>
  authorization.type === 'mock' && authorization.disableAuthzChecks;

const sameRecord = (one: Tenant['clinical'], other: Tenant['clinical']) =>
  one.type === 'store' && other.type === 'store' && one.path === other.path;

function peoplePart(people: readonly Person[]): string {
  if (people.length === 0) return '';
  const shown = people.slice(0, MOST_PEOPLE).map(({ name, reference, birthDate }) => {
    const who = reference.startsWith('Patient/')
      ? `born ${escaped(birthDate ?? '?')}`
      : 'clinician, any record';
    return `<li>${isolated(name)}, ${who}`;
  });
  const more = people.length > MOST_PEOPLE ? `<li>and ${people.length - MOST_PEOPLE} more` : '';
  return `<section><h2>You can sign in as</h2><ul class="people">${shown.join('')}${more}</ul>
<p>There are no passwords: nobody here is real.</p></section>`;
}

function statePart(facts: StartFacts): string {
  const { tenants, metrics } = facts;
  const open = tenants.filter(isDemonstration).length;
  const others = tenants.filter(needsOthers);
  const count = (wanted: boolean | undefined) =>
    others.filter(({ key }) => facts.reached.get(key) === wanted).length;
  const unknown = count(undefined) > 0 ? `, ${count(undefined)} not known yet` : '';
  const rest =
    others.length === 0
      ? ''
      : `; ${others.length} need other servers: ${count(true)} reachable, ${count(false)} unreachable${unknown}`;
  return `<section><h2>This server</h2><dl>${basics(facts)}
<dt>Data<dd>demonstration: ${open} of ${tenants.length} tenants need no password
<dt>Sources<dd>${tenants.length - others.length} of ${tenants.length} tenants have all they need here${rest}
<dt>More<dd>${link('errors', 'errors and what to do')} · ${link('schema.graphql', 'GraphQL schema')} · how to write an app: <code>docs/build-an-app.md</code> of the source code${metrics ? ` · ${link('metrics', 'metrics')}` : ''}</dl></section>`;
}

/** Lists the tenants that work first, and folds those that need other servers. */
function tenantsPart({ tenants, reached }: StartFacts, lead: Tenant): string {
  const rank = (tenant: Tenant) => (tenant === lead ? 0 : isDelayed(tenant) ? 2 : 1);
  const isAway = ({ key }: Tenant) => reached.get(key) === false;
  const local = tenants.filter((tenant) => !needsOthers(tenant)).sort((a, b) => rank(a) - rank(b));
  const others = tenants.filter(needsOthers).sort((a, b) => Number(isAway(a)) - Number(isAway(b)));
  const away = others.filter(isAway).length;
  const cards = (some: readonly Tenant[]) =>
    `<ul class="cards">${some.map((tenant) => card(tenant, isAway(tenant))).join('')}</ul>`;
  const folded = `<details><summary>Tenants that need other servers: ${others.length}, unreachable: ${away}</summary>${cards(others)}</details>`;
  return `<section><h2>Tenants</h2>${cards(local)}${others.length > 0 ? folded : ''}
<p>Below each tenant:</p><pre tabindex="0" role="region" aria-label="Paths">/{tenant}/graphql
/{tenant}/fhir/{Type}   /{tenant}/fhir/ImagingStudy   /{tenant}/fhir/$graphql
/{tenant}/dicomweb/studies</pre></section>`;
}

function card(tenant: Tenant, isAway: boolean): string {
  const { authorization, clinical, images } = tenant;
  const key = path(tenant);
  const note = isAway ? 'unreachable' : isDelayed(tenant) ? 'answers 503 for images, to test clients' : '';
  const sources = images.map(({ type }) => type).join(', ');
  const links = [
    link(`app/?tenant=${key}`, 'viewer'),
    link(`${key}/playground`, 'playground'),
    link(`${key}/fhir/metadata`, 'metadata'),
    link(`${key}/fhir/.well-known/smart-configuration`, 'smart-configuration'),
  ];
  return `<li><h3>${escaped(tenant.key)}${note && ` <small>(${note})</small>`}</h3>
<p>authorization: ${authorization.type}; record: ${clinical.type}; images: ${sources}</p><p>${links.join(' · ')}</p>`;
}
