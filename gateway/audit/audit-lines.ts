import { randomUUID } from 'node:crypto';
import { boundedCache } from '../../schema/cache/bounded-cache.ts';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { balpAuditEvent } from './audit-event.ts';

/** Characters of all lines that are kept. */
const KEPT_CHARACTERS = 2_000_000;
/** They stand where the time and the request are put. No text of a client is equal to them. */
const [TIME, REQUEST] = [randomUUID(), randomUUID()];

/** A line without its time and its request. */
type Template = readonly [before: string, between: string, after: string];

/**
 * Writes events as lines of NDJSON. Events that differ only in time and request share a template: the same caller asks the
 * same again and again, and a record has 1.5 KB of JSON.
 */
export class AuditLines {
  readonly #templates = boundedCache<Template>({
    size: KEPT_CHARACTERS,
    sizeOf: (parts, key) => key.length + parts.join('').length,
  });

  /** @param base public base URL of the tenant */
  of({ time, request, ...event }: AuditEvent, base: string): string {
    const key = `${base}\n${JSON.stringify(event)}`;
    let template = this.#templates.get(key);
    if (!template) {
      const line = JSON.stringify(balpAuditEvent({ ...event, time: TIME, request: REQUEST }, base));
      const [before = '', between = '', after = ''] = line.split(new RegExp(`"${TIME}"|"${REQUEST}"`));
      template = [before, between, after];
      this.#templates.set(key, template);
    }
    const [before, between, after] = template;
    return `${before}${JSON.stringify(time)}${between}${JSON.stringify(request)}${after}`;
  }
}
