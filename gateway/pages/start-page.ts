import type { FastifyPluginAsync } from 'fastify';
import { htmlPage, link, sendPage } from './html-page.ts';
import type { Tenants } from '../tenants/loading/settings.ts';

/**
 * Serves the start page at `/`. Its links are relative: the gateway may have a path prefix.
 * @param shown `metrics` is true when `/metrics` is on this port
 */
export function startPage(tenants: Tenants, shown: { metrics: boolean }): FastifyPluginAsync {
  return async (app) => {
    app.get('/', (_request, reply) => sendPage(reply, pageOf(tenants, shown)));
  };
}

function pageOf(tenants: Tenants, shown: { metrics: boolean }): string {
  const rows = tenants.all.map(({ key, authorization, images, clinical }) => {
    const links = [
      link(`app/?tenant=${key}`, 'viewer'),
      link(`${key}/playground`, 'playground'),
      link(`${key}/fhir/metadata`, 'metadata'),
      link(`${key}/fhir/.well-known/smart-configuration`, 'smart-configuration'),
    ].join(' · ');
    const sources = images.map(({ type }) => type).join(', ');
    return `<tr><th scope="row">${key}<td>${authorization.type}<td>${clinical.type}<td>${sources}<td>${links}`;
  });
  const demonstration = tenants.all.some(({ key }) => key === 'demo')
    ? `<p>The demonstration: ${link('app/?tenant=demo', 'the viewer')}, a record and its images, and ${link('demo/playground', 'the playground')}, for
       your own requests. Both sign you in as a person of the demonstration; there are no passwords, and all people are fictional.`
    : '';
  return htmlPage(
    'SMART Imaging Gateway',
    `<p>One SMART on FHIR token, one request: a patient’s record and a patient’s images.
     ${demonstration}
     <h2>Tenants</h2><table><tr><th>Tenant<th>Authorization<th>Records<th>Images<th>Pages</tr>${rows.join('')}</table>
     <h2>Below each tenant</h2><pre>/{tenant}/graphql
/{tenant}/fhir/{Type}   /{tenant}/fhir/ImagingStudy   /{tenant}/fhir/$graphql
/{tenant}/dicomweb/studies</pre>
     <p>${link('schema.graphql', 'GraphQL schema')} · ${link('health/ready', 'Health')}${shown.metrics ? ` · ${link('metrics', 'Metrics')}` : ''}`,
  );
}
