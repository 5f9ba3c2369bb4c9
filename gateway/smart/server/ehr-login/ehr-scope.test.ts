import { expect, test } from 'vitest';
import type { IndependentConfig } from '../../discovery/ehr-configuration.ts';
import { lastingOf, scopeFor } from './ehr-scope.ts';

/** Lasting access is requested from the EHR only if the app requests it (SMART App Launch 2.2 §4.6). */

const BASE = 'openid fhirUser launch/patient patient/*.read';
const OFFLINE = { scopes_supported: ['offline_access'] };
const ONLINE = { capabilities: ['permission-online'] };
const BOTH = { scopes_supported: ['openid', 'offline_access', 'online_access'] };

test.each<[string, string | undefined, object, string]>([
  ['', undefined, BOTH, BASE],
  ['openid', 'patient/*.rs offline_access', OFFLINE, 'openid patient/*.rs'],
  ['offline_access', undefined, OFFLINE, `${BASE} offline_access`],
  ['offline_access', undefined, { capabilities: ['permission-offline'] }, `${BASE} offline_access`],
  ['offline_access', undefined, ONLINE, BASE],
  ['offline_access', undefined, {}, BASE],
  ['offline_access', 'patient/*.rs offline_access', {}, 'openid patient/*.rs offline_access'],
  ['offline_access', 'system/*.rs offline_access', {}, `${BASE} offline_access`],
  ['offline_access', undefined, { scopes_supported: 'offline_access' }, BASE],
  ['online_access', undefined, BOTH, `${BASE} online_access`],
  ['online_access', undefined, ONLINE, `${BASE} online_access`],
  ['online_access', undefined, OFFLINE, `${BASE} offline_access`],
  ['online_access', undefined, {}, BASE],
  ['online_access offline_access', undefined, BOTH, `${BASE} offline_access`],
])(
  'an app that requests "%s", a tenant with scope %s, an EHR with %o: "%s"',
  (app, scope, document, asked) => {
    const config = { scope } as unknown as IndependentConfig;
    expect(scopeFor(config, document as Record<string, unknown>, lastingOf(app.split(' ')))).toBe(asked);
  },
);
