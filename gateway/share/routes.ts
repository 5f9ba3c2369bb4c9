import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import { ALLOWED, outcomeOf, type Operation } from '../../schema/access/audit.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../schema/fhir/fhir.ts';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { tenantBase } from '../../schema/http/request.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { networkOf } from '../smart/server/state/failures.ts';
import { throttle } from '../smart/server/state/throttle.ts';
import { encrypted, readContent, type Content, type OwnAnswer } from './content.ts';
import { tooMany } from './passcodes.ts';
import { cannotShare } from './shareable.ts';
import { readOpening, readWanted, type WantedShare } from './share-request.ts';
import {
  linkId,
  MOST_LINKS,
  noSuchLink,
  randomSecret,
  type Owner,
  type Share,
  type Shares,
} from './shares.ts';

export interface ShareRoutesOptions {
  /** Public base of the gateway. */
  baseUrl: string;
  shares: Shares;
}

/** Openings of one address: the others are not locked out by one that guesses. */
const OPENINGS = { perSecond: 1, burst: 60 };
const RETRY_SECONDS = 5;
/** Headers of a request that count for what is read for it. */
const PASSED_ON = ['authorization', 'host', 'user-agent'];

const isOffered = ({ share }: Tenant): boolean => share.enabled;
const OWNERS = {
  config: { api: 'page', serves: { interaction: 'operation' }, stateIn: 'store', isOffered },
} as const;
/** Without a token: the secret is in the path. */
const RECEIVERS = { config: { api: 'page', open: true, stateIn: 'store', isOffered } } as const;

/** Returns the routes of SMART Health Links (IA-36): for who shares, and for who receives. */
export function shareRoutes({ baseUrl, shares }: ShareRoutesOptions): FastifyPluginAsync {
  const admits = throttle(OPENINGS.perSecond, OPENINGS.burst);
  return async (app) => {
    app.post('/share', OWNERS, async (request, reply) => {
      const made = await makeLink(app, request, { baseUrl, shares });
      return setCacheControl(reply, 'noStore').code(201).send(made);
    });
    app.get('/share', { ...OWNERS, exposeHeadRoute: false }, async ({ tenant, access }, reply) => {
      const links = await shares.ofOwner(tenant, ownerOf(tenant, access));
      return setCacheControl(reply, 'noStore').send({ links: links.map(listed) });
    });
    app.delete('/share/:id', OWNERS, async (request, reply) => {
      const { tenant, access, audit } = request;
      const { id } = request.params as { id: string };
      const owner = ownerOf(tenant, access);
      await shares.revoke(tenant, owner, id);
      const share = { id, event: 'revoked' } as const;
      audit?.({ action: 'operation', patient: owner.patient, share, outcome: ALLOWED });
      return reply.code(204).send();
    });

    app.post('/shl/:link', RECEIVERS, async (request, reply) => {
      const asked = readOpening(request.body);
      const { link } = request.params as { link: string };
      const { recipient, embeddedLengthMax = 0 } = asked;
      return recorded(
        request,
        { event: 'opened', recipient },
        async () => {
          if (!admits(networkOf(request.ip))) throw tooMany(RETRY_SECONDS);
          const share = await shares.open(request.tenant, link, asked);
          if ('triesLeft' in share) return { triesLeft: share.triesLeft };
          const place = `${tenantBase(baseUrl, request.tenant)}/shl/${link}`;
          const files = await manifestFiles(shares, share, { place, embeddedLengthMax });
          return { share, answer: () => setCacheControl(reply, 'noStore').send({ files }) };
        },
        reply,
      );
    });
    app.get('/shl/:link/f/:ticket', { ...RECEIVERS, exposeHeadRoute: false }, async (request, reply) => {
      const { link, ticket } = request.params as { link: string; ticket: string };
      return recorded(
        request,
        { event: 'fetched' },
        async () => {
          const { share, text } = await shares.fileOf(request.tenant, link, ticket);
          return {
            share,
            answer: () => setCacheControl(reply, 'noStore').type('application/jose').send(text),
          };
        },
        reply,
      );
    });

    // Those of images are in the imaging subgraph. Nothing else is reached by a capability, and all of it is recorded.
    const nothing = { config: { ...OWNERS.config, shared: true, isOffered } } as const;
    for (const url of ['/shared/:capability', '/shared/:capability/*'])
      app.all(url, { ...nothing, handler: () => Promise.reject(noSuchLink()) });
  };
}

type Opened = { share: Share; answer(): FastifyReply } | { triesLeft: number };

/** Runs a request of a receiver, and records it by the id of the link, allowed or denied. */
async function recorded(
  request: FastifyRequest,
  event: Omit<NonNullable<Operation['share']>, 'id'>,
  run: () => Promise<Opened>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { tenant, audit, params } = request;
  const { link } = params as { link: string };
  const operation = { action: 'operation', share: { ...event, id: linkId(tenant, link) } } as const;
  try {
    const opened = await run();
    if ('triesLeft' in opened) {
      audit?.({ ...operation, outcome: { kind: 'denied', code: 'unauthenticated' } });
      return await setCacheControl(reply, 'noStore').code(401).send({ remainingAttempts: opened.triesLeft });
    }
    audit?.({ ...operation, patient: opened.share.read.patient, outcome: ALLOWED });
    return await opened.answer();
  } catch (error) {
    audit?.({ ...operation, outcome: outcomeOf(error) });
    throw error;
  }
}

/**
 * Returns who shares.
 * @throws Fault `not_implemented` for a tenant that cannot share, `forbidden` for a caller who is no person with one patient
 */
function ownerOf(tenant: Tenant, { patients, user, permissions }: Access): Owner {
  const reason = cannotShare(tenant);
  if (reason !== undefined) throw new Fault('not_implemented', `Nothing can be shared here. ${reason}`);
  const [only, ...others] = patients === 'all' ? [] : patients;
  const isService = permissions.some(({ level }) => level === 'system');
  if (!only || others.length > 0 || user === undefined || isService) {
    const message = 'Only a person shares, for one patient: the token needs a user and a patient.';
    throw new Fault('forbidden', message);
  }
  return { patient: only.id, user };
}

async function makeLink(
  app: FastifyInstance,
  request: FastifyRequest,
  { baseUrl, shares }: ShareRoutesOptions,
): Promise<object> {
  const { tenant, access, audit, body } = request;
  const owner = ownerOf(tenant, access);
  const wanted = readWanted(body, tenant, shares.now);
  if ((await shares.ofOwner(tenant, owner)).length >= MOST_LINKS) throw tooManyLinks();
  const [secret, capability] = [randomSecret(), randomSecret()];
  const base = tenantBase(baseUrl, tenant);
  const content = await readContent({
    ...wanted,
    ask: (path) => askAsOwner(app, request, path),
    patient: owner.patient,
    base,
    address: `${base}/shared/${capability}/dicom-web`,
    page: `${rootOf(baseUrl)}/share`,
    time: new Date(shares.now).toISOString(),
  });
  const { studies, resources, notIncluded } = content;
  const { expires, uses, label, passcode } = wanted;
  const { permissions } = access;
  const details = { ...owner, permissions, studies, resources, expires, ...(label && { label }) };
  if (!(await shares.canBeShown(tenant, details))) {
    throw new Fault(
      'forbidden',
      'A part of this may not be shown to others, or is withdrawn. Nothing was shared.',
    );
  }
  const key = randomSecret();
  const files = await encryptedFiles(content, key);
  const hash = passcode && (await shares.passcodes.inTurn(() => shares.passcodes.hash(passcode)));
  const id = await shares.add(
    tenant,
    { secret, capability },
    { ...details, ...(hash && { passcode: hash }), uses, files },
  );
  if (id === undefined) throw tooManyLinks();
  audit?.({ action: 'operation', patient: owner.patient, share: { id, event: 'made' }, outcome: ALLOWED });
  const link = linkOf(wanted, { root: rootOf(baseUrl), url: `${base}/shl/${secret}`, key });
  return { id, link, expires: instant(expires), notIncluded };
}

const encryptedFiles = ({ bundles }: Content, key: string): Promise<string[]> =>
  Promise.all(bundles.map((text) => encrypted(text, Buffer.from(key, 'base64url'))));

/** Returns the link as people pass it on (SMART Health Links, "Construct a SMART Health Link Payload"). */
function linkOf(
  { expires, uses, label, passcode }: WantedShare,
  { root, url, key }: { root: string; url: string; key: string },
): string {
  const flag = `${uses > 1 ? 'L' : ''}${passcode === undefined ? '' : 'P'}`;
  const payload = { url, ...(flag && { flag }), key, exp: Math.floor(expires), label };
  return `${root}/share#shlink:/${Buffer.from(JSON.stringify(payload)).toString('base64url')}`;
}

/** Asks as the owner, by a request as the owner would send it: with authorization, limits and audit. */
async function askAsOwner(app: FastifyInstance, request: FastifyRequest, path: string): Promise<OwnAnswer> {
  const { headers, ip, id, tenant } = request;
  const passed = PASSED_ON.flatMap((name) =>
    headers[name] === undefined ? [] : [[name, String(headers[name])] as const],
  );
  const url = `/${tenant.path}/fhir/${path}`;
  const sent = { ...Object.fromEntries(passed), accept: FHIR_JSON, 'x-request-id': id };
  const answer = await app.inject({ method: 'GET', url, headers: sent, remoteAddress: ip });
  return { status: answer.statusCode, headers: answer.headers, body: answer.body };
}

/** Returns the files of a manifest: in it as far as the receiver takes them, others by an address that works once. */
function manifestFiles(
  shares: Shares,
  share: Share,
  { place, embeddedLengthMax }: { place: string; embeddedLengthMax: number },
): Promise<object[]> {
  return Promise.all(
    Array.from({ length: share.read.files }, async (_, index) => {
      const text = await shares.file(share, index);
      const file = { contentType: FHIR_JSON, fhirVersion: '4.0.1' };
      if (text.length <= embeddedLengthMax) return { ...file, embedded: text };
      return { ...file, location: `${place}/f/${await shares.ticket(share, index)}` };
    }),
  );
}

const listed = ({ id, uses, read, opened }: Share) => ({
  id,
  label: read.label,
  expires: instant(read.expires),
  usesLeft: uses,
  lastOpening: opened && { time: instant(opened.at), recipient: opened.recipient },
});

const instant = (seconds: number): string => new Date(seconds * 1000).toISOString();
const rootOf = (baseUrl: string): string => baseUrl.replace(/\/+$/, '');
const tooManyLinks = () =>
  new Fault(
    'too_many_requests',
    `There are ${MOST_LINKS} links already. Revoke one that is not needed any more.`,
  );
