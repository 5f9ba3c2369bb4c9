import type { Access } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { Abortable } from '../../schema/process/request-end.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { allInstances, allMetadata, allStudies, instanceRow, studyIds } from './fhir/all-studies.ts';
import type { ResourceOptions } from './fhir/find.ts';
import { tagsForAnalysts, type Sources } from './sources/open.ts';
import type { OpenImaging } from './study/authorized-studies.ts';

interface Means {
  open: OpenImaging;
  /** As `open`, without the caches of callers: what it finds is kept as long as it is used. */
  openUnkept: OpenImaging;
  sources: Sources;
  options: ResourceOptions;
}

/** Questions for the tables of analysts: about all images of a tenant, whoever may see them; and which a caller may see. */
export function questionsOfTables({ open, openUnkept, sources, options }: Means) {
  const everything = new WeakMap<Tenant, Tenant>();
  const all = (tenant: Tenant) => {
    let whole = everything.get(tenant);
    if (!whole) everything.set(tenant, (whole = unrestricted(tenant)));
    return openUnkept(whole, ofGateway(whole));
  };
  const opened = async (tenant: Tenant) =>
    Promise.all(sources.of(tenant).map(async (images) => (await images.open()).source));
  return {
    /**
     * Returns the ids of the studies that a search finds; without a look at the archives `all`, for a token that reaches all.
     * It records nothing (IA-30).
     * @throws Fault as `studyIds`
     */
    async studyIds(tenant: Tenant, access: Access): Promise<readonly string[] | 'all'> {
      const imaging = open(tenant, access);
      return imaging.findsAll ? 'all' : studyIds(imaging);
    },
    /** Gives the studies that a search by the token finds; it records nothing (IA-30). @throws Fault as `studyIds` */
    searchedStudies: (tenant: Tenant, access: Access, over?: Abortable) =>
      allStudies(() => openUnkept(tenant, access, over), options),
    allStudies: (tenant: Tenant) => allStudies(() => all(tenant), options),
    async *allInstances(tenant: Tenant) {
      const tags = tagsForAnalysts(tenant);
      const opened = () => all(tenant);
      // Rows of a search have few attributes.
      const found = tags.length > 0 ? allMetadata(opened) : allInstances(opened, options);
      for await (const rows of found) yield rows.map((row) => instanceRow(row, tags));
    },
    /** Returns the databases that have the instances of the tenant's folders; undefined if not all of its sources are folders. */
    async indexFiles(tenant: Tenant): Promise<readonly string[] | undefined> {
      const files = (await opened(tenant)).map(({ indexFile }) => indexFile);
      return files.every((file) => file !== undefined) ? files : undefined;
    },
    /**
     * Returns a text that changes with the images; undefined if a source cannot tell.
     * @throws Fault `unavailable` for a folder that is away, or read for the first time
     */
    async imagesVersion(tenant: Tenant): Promise<string | undefined> {
      const generations: string[] = [];
      for (const source of await opened(tenant)) {
        if (!source.generation) return undefined;
        if (source.generation() === undefined) await source.check?.();
        const generation = source.generation();
        if (generation === undefined) throw notReady();
        generations.push(generation);
      }
      return generations.join('\n');
    },
  };
}

const notReady = (): Fault =>
  new Fault('unavailable', 'The images are not ready yet.', { service: 'imaging', retryAfter: 5 });

/** Returns the tenant without what hides studies from single callers, or for some time. */
function unrestricted(tenant: Tenant): Tenant {
  const delay = { lookupUntil: 0, retrieveUntil: 0 };
  return {
    ...tenant,
    authorization: { ...tenant.authorization, withhold: [] },
    images: tenant.images.map((config) => ({ ...config, delay })),
  };
}

/** Returns the access of the gateway itself to all images. */
const ofGateway = ({ key }: Tenant): Access => ({
  tenant: key,
  patients: 'all',
  permissions: [{ level: 'system', type: '*', interactions: 'rs' }],
  expires: Infinity,
});
