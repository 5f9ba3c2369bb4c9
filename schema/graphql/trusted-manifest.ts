import { hash } from 'node:crypto';
import { z } from 'zod';

/** Texts of trusted documents by their ids: the SHA-256 of each text, in lower-case hexadecimal. */
export type TrustedManifest = ReadonlyMap<string, string>;

/** Returns the id of a document. */
export const documentIdOf = (text: string): string => hash('sha256', text);

const operation = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.enum(['query', 'mutation', 'subscription']),
    body: z.string().min(1),
  })
  .refine(({ id, body }) => id === documentIdOf(body), {
    path: ['id'],
    error: 'must be the SHA-256 of body, in lower-case hexadecimal',
  });

/** A manifest of trusted documents (FG-13), in the format of Apollo's `generate-persisted-query-manifest`. */
export const trustedManifest = z
  .object({
    format: z.literal('apollo-persisted-query-manifest'),
    version: z.literal(1),
    operations: z.array(operation),
  })
  .transform(({ operations }): TrustedManifest => new Map(operations.map(({ id, body }) => [id, body])));

/** A manifest as `trustedManifest` reads it. */
export type ManifestFile = z.input<typeof trustedManifest>;
