import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Fault } from '../../../schema/fault/fault.ts';
import { quotedName } from '../../../schema/fhir/nearest-name.ts';
import { readParameters } from '../../../schema/http/request-bounds.ts';

/** Requests of `$sql-run` and `$sql-export`: a Parameters resource, parameters in the URL, a statement as the body. */

/** One parameter, as it was given. */
export interface Given {
  name: string;
  /** `Code` of `valueCode`; `url` for one of the URL; undefined for a resource or parts. */
  type: string | undefined;
  value: unknown;
  resource: Json | undefined;
  part: readonly Given[];
}

export type Json = Readonly<Record<string, unknown>>;

export interface Sent {
  /** The body of `application/sql`. */
  sql: string | undefined;
  given: readonly Given[];
}

const SQL = 'application/sql';
const JSON_TYPES = ['application/fhir+json', 'application/json'];
/** Parameters of one resource, those in its parts included. */
const MOST = 1_000;
/** Objects and lists within each other, in a body. */
const DEEPEST = 200;

/** Makes an app read statements of SQL, and JSON objects. Another body is refused by the handler, not parsed. */
export function readStatementsAndJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(SQL, { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.addContentTypeParser(JSON_TYPES, { parseAs: 'string' }, (_request, body, done) => {
    const parsed = parsedObject(String(body));
    if (!parsed) done(new Fault('invalid_request', 'The body is no JSON object.'));
    else if (isDeeper(parsed, DEEPEST))
      done(new Fault('invalid_request', `The body nests deeper than ${DEEPEST} levels.`));
    else done(null, parsed);
  });
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

function parsedObject(text: string): Json | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((one) => isDeeper(one, levels - 1));
}

/**
 * Reads what was sent.
 * @throws Fault `invalid_request` for a body that is no Parameters resource, and for too many parameters;
 *   `unsupported_media_type` for another kind of body
 */
export function readSent({ method, body, headers, raw }: FastifyRequest): Sent {
  const [, query = ''] = /\?(.*)$/s.exec(raw.url ?? '') ?? [];
  const ofUrl = readParameters([query]).map(([name, value]): Given => {
    return { name, type: 'url', value, resource: undefined, part: [] };
  });
  if (method === 'GET') return { sql: undefined, given: ofUrl };
  if (typeof body === 'string') return { sql: body, given: ofUrl };
  if (isObject(body)) return { sql: undefined, given: [...ofUrl, ...parametersOf(body)] };
  if (headers['content-type'] === undefined) return { sql: undefined, given: ofUrl };
  const types = `a statement as ${SQL}, or a Parameters resource as ${JSON_TYPES[0]}`;
  throw new Fault('unsupported_media_type', `Send ${types}.`);
}

/** Returns the parameters of a Parameters resource (R4 §2.43). */
export function parametersOf(resource: Json): Given[] {
  if (resource['resourceType'] !== 'Parameters') {
    throw new Fault('invalid_request', 'Parameters are sent as a resource of the type Parameters.');
  }
  return listOf(resource['parameter'], { left: MOST });
}

function listOf(listed: unknown, budget: { left: number }): Given[] {
  if (listed === undefined) return [];
  if (!Array.isArray(listed)) throw new Fault('invalid_request', 'Parameters.parameter is a list.');
  if ((budget.left -= listed.length) < 0) {
    throw new Fault('invalid_request', `A Parameters resource has at most ${MOST} parameters here.`);
  }
  return listed.map((item: unknown): Given => {
    const { name, resource, part, ...rest } = isObject(item) ? item : {};
    const values = Object.entries(rest).filter(([key]) => key.startsWith('value'));
    const [key, value] = values[0] ?? [];
    if (typeof name !== 'string' || values.length > 1)
      throw new Fault('invalid_request', 'Each parameter needs a name, and at most one value.');
    return {
      name,
      type: key?.slice('value'.length),
      value,
      resource: isObject(resource) ? resource : undefined,
      part: listOf(part, budget),
    };
  });
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Kinds of parameters, by the types of values that they take; `Reference` has its text in an object. */
const KINDS = {
  canonical: ['Canonical', 'Uri', 'Url', 'String'],
  reference: ['Reference', 'String', 'Uri', 'Url'],
  code: ['Code', 'String'],
  boolean: ['Boolean'],
  count: ['Integer', 'PositiveInt', 'UnsignedInt'],
  string: ['String'],
} as const;

/** Returns the texts of all parameters of a name. @throws Fault `invalid_request` for a value of another type */
export function textsOf(given: readonly Given[], name: string, kind: keyof typeof KINDS): string[] {
  return given.filter((one) => one.name === name).map((one) => textOf(one, kind));
}

/** Returns the text of the only parameter of a name. @throws Fault `invalid_request` also for several */
export function oneText(given: readonly Given[], name: string, kind: keyof typeof KINDS): string | undefined {
  const [text, ...others] = textsOf(given, name, kind);
  if (others.length > 0) throw new Fault('invalid_request', `${name} is given once.`);
  return text;
}

function textOf({ name, type, value }: Given, kind: keyof typeof KINDS): string {
  const types: readonly string[] = KINDS[kind];
  const text = type === 'Reference' && isObject(value) ? value['reference'] : value;
  const isRight = type === 'url' || (type !== undefined && types.includes(type));
  if (isRight && ['string', 'number', 'boolean'].includes(typeof text)) {
    const written = String(text as string | number | boolean);
    if (kind === 'boolean' ? /^(true|false)$/.test(written) : kind !== 'count' || /^\d{1,15}$/.test(written))
      return written;
  }
  throw new Fault('invalid_request', `${name} takes value${types[0]}: ${MEANT[kind]}.`);
}

const MEANT: Readonly<Record<keyof typeof KINDS, string>> = {
  canonical: 'a canonical URL',
  reference: 'a reference, such as Patient/1',
  code: 'a code',
  boolean: 'true or false',
  count: 'a whole number, 0 or more',
  string: 'a text',
};

/** Returns the resources of all parameters of a name. @throws Fault `invalid_request` for one without a resource */
export function resourcesOf(given: readonly Given[], name: string): Json[] {
  return given
    .filter((one) => one.name === name)
    .map(({ resource, type }) => {
      if (resource) return resource;
      const how = type === 'url' ? 'is a resource: send it by POST' : 'takes a resource';
      throw new Fault('invalid_request', `${name} ${how}.`);
    });
}

/**
 * Refuses what an operation does not take.
 * @param unsupported parameters of the standard that this server leaves out
 */
export function refuseOthers(
  given: readonly Given[],
  taken: ReadonlySet<string>,
  { operation, unsupported }: { operation: string; unsupported: readonly string[] },
): void {
  const other = given.find(({ name }) => !taken.has(name));
  if (!other) return;
  const { name } = other;
  const why = unsupported.includes(name) ? ' It is not supported here.' : '';
  throw new Fault('unsupported_parameter', `${operation} does not take ${quotedName(name)}.${why}`);
}
