import type { Logger } from 'pino';
import type { AuditEvents } from '../audit/request-audit.ts';
import { clinicalProcess, imagingProcess, type PartsOptions } from '../gateway.ts';
import { buildSubgraphApp } from '../split/subgraph-app.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { freePort } from './setup/free-port.ts';

/** True where tests of whole gateways run over subgraphs that are servers of their own (`ARRANGEMENT=split`). */
export const isSplit = process.env['ARRANGEMENT'] === 'split';

/** Starts both subgraphs as servers of their own, which reach each other and the gateway over HTTP. */
export async function startSubgraphs(
  options: PartsOptions,
  { tenants, log, audit }: { tenants: Tenants; log: Logger; audit: AuditEvents | undefined },
) {
  const [clinicalPort, imagingPort] = [await freePort(), await freePort()];
  const urls = { clinical: `http://127.0.0.1:${clinicalPort}`, imaging: `http://127.0.0.1:${imagingPort}` };
  const { baseUrl, secrets, now } = options;
  const common = { baseUrl, tenants, secrets, log, now, audit };
  const clinical = clinicalProcess(options, urls);
  const imaging = imagingProcess(options, urls);
  const ready = () => true;
  const apps = await Promise.all(
    [clinical, imaging].map((part) =>
      buildSubgraphApp({ ...common, ...part, readiness: { ready, loading: part.loading } }),
    ),
  );
  await apps[0]!.listen({ host: '127.0.0.1', port: clinicalPort });
  await apps[1]!.listen({ host: '127.0.0.1', port: imagingPort });
  return {
    urls,
    clinical,
    imaging,
    async close(): Promise<void> {
      await Promise.all(apps.map((app) => app.close()));
      await Promise.all([clinical.close(), imaging.close()]);
    },
  };
}
