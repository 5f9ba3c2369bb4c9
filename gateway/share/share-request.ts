import { z } from 'zod';
import { UID } from '../../schema/dicom/dicom.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';

/** The link that a person asks for. */
export interface WantedShare {
  studies: readonly string[];
  resources: readonly string[];
  /** Seconds since the epoch. */
  expires: number;
  uses: number;
  passcode?: string | undefined;
  label?: string | undefined;
}

/** Words of a receiver about themselves, and how they take files. */
export interface WantedOpening {
  recipient: string;
  passcode?: string | undefined;
  embeddedLengthMax?: number | undefined;
}

const DAY = 86_400;
const MOST_STUDIES = 20;
const MOST_RESOURCES = 100;
/** Characters that an opening may have embedded if it does not say how many. */
const EMBEDDED = 100_000;

/** Types of which a link has its own way, or that are no part of a record. */
const NOT_SHARED = ['Patient', 'ImagingStudy', 'Endpoint', 'AuditEvent', 'Bundle', 'Binary'];
/** No id is only dots, which would be a path to elsewhere. */
const RESOURCE = /^([A-Z][A-Za-z]{1,39})\/(?!\.+$)[A-Za-z0-9.-]{1,64}$/;

/** A text of one line. */
const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'must be one line of text');
const isOnce = (values: readonly string[]) => new Set(values).size === values.length;

const wanted = z
  .strictObject({
    studies: z
      .array(z.string().regex(UID, 'must be a Study Instance UID'))
      .max(MOST_STUDIES)
      .refine(isOnce, 'must not name one twice')
      .default([]),
    resources: z
      .array(
        z
          .string()
          .regex(RESOURCE, 'must be Type/id')
          .refine(
            (text) => !NOT_SHARED.includes(RESOURCE.exec(text)?.[1] ?? ''),
            'cannot be shared by its id',
          ),
      )
      .max(MOST_RESOURCES)
      .refine(isOnce, 'must not name one twice')
      .default([]),
    expires: z.union(
      [z.iso.date(), z.iso.datetime({ offset: true })],
      'must be a date, or a time with its zone',
    ),
    uses: z.number().int().min(1),
    passcode: z
      .string()
      .refine((text) => text.length >= 6 && text.length <= 64, 'must have 6 to 64 characters')
      .optional(),
    label: line(80).optional(),
  })
  .refine(
    ({ studies, resources }) => studies.length + resources.length > 0,
    'must name studies or resources',
  );

/**
 * Reads the body of a request for a link.
 * @param now milliseconds since the epoch
 * @throws Fault `invalid_request` that names the field; it never repeats a value
 */
export function readWanted(body: unknown, { share }: Pick<Tenant, 'share'>, now: number): WantedShare {
  const read = parsed(wanted, body);
  const { expires: text, uses, passcode } = read;
  const last = now / 1000 + share.maxDays * DAY;
  const begin = Date.parse(text) / 1000;
  // A date lasts to its end, but not beyond the longest time.
  const expires = text.includes('T') ? begin : Math.min(begin + DAY, Math.max(begin, last));
  if (expires <= now / 1000) throw wrong('expires', 'must be in the future');
  if (expires > last) throw wrong('expires', `must be within ${share.maxDays} days`);
  if (uses > share.maxUses) throw wrong('uses', `must be at most ${share.maxUses}`);
  if (share.passcode === 'required' && passcode === undefined) throw wrong('passcode', 'is needed');
  return { ...read, expires };
}

const opening = z.object({
  recipient: line(200),
  passcode: z.string().max(256).optional(),
  embeddedLengthMax: z.number().int().min(0).default(EMBEDDED),
});

/** Reads the body of a request for a manifest. @throws Fault `invalid_request` */
export const readOpening = (body: unknown): WantedOpening => parsed(opening, body);

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const { data, error } = schema.safeParse(body);
  if (data !== undefined) return data;
  const [{ path, message, code } = { path: [], message: '', code: '' }] = error?.issues ?? [];
  // The name of an unknown field may be anything.
  if (code === 'unrecognized_keys') throw wrong('The body', 'has a field that is not known');
  throw wrong(path.join('.') || 'The body', message.replace(/^Invalid input: /, ''));
}

const wrong = (field: string, reason: string) => new Fault('invalid_request', `${field}: ${reason}.`);
