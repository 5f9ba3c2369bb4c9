import type { ImageSource } from '../data/source.ts';
import { Trouble } from '../data/trouble.ts';
import { instanceUid } from '../domain/instance.ts';
import type { OpenedPackage, Range } from '../domain/package/container.ts';
import type { PackageIndex } from '../domain/package/content.ts';

/** The images of an open package. Each method is a function of its own: the imaging takes them one by one. */
export function packagedImages(opened: OpenedPackage<PackageIndex>): ImageSource {
  const { series, files, values } = opened.index;
  // Names of others, such as `constructor`, are no keys.
  const fileOf = (instance: string) => (Object.hasOwn(files, instance) ? files[instance] : undefined);
  const seriesOf = (uid: string | undefined) => there(series.find((one) => one.uid === uid));
  const read = (ranges: readonly Range[] | undefined) => opened.read(there(ranges));

  const thumbnail = async (uid: string | undefined) => {
    const { range, type } = there((await Promise.resolve(seriesOf(uid))).thumbnail);
    return new Blob([read([range])], { type });
  };
  return {
    series: async (_at, name) => [...(await Promise.resolve(seriesOf(name.series))).instances],
    async frame(_at, { instance, frame }) {
      const file = await Promise.resolve(there(fileOf(instance)));
      return { bytes: read(file.frames[frame - 1]), transferSyntax: file.transferSyntax };
    },
    thumbnail: (_at, name) => thumbnail(name.series),
    // A picture of one image would have to be drawn: the image itself is as near.
    rendered: (_at, name) => thumbnail(name.instance === undefined ? name.series : undefined),
    async *instances(_at, name) {
      const { instances } = await Promise.resolve(seriesOf(name.series));
      const found = instances.map((one) => fileOf(instanceUid(one)));
      for (const file of found) if (file) yield read([file.range]);
      if (found.includes(undefined)) throw missing();
    },
    bulk: (url) => Promise.resolve().then(() => read(Object.hasOwn(values, url) ? values[url] : undefined)),
  };
}

const missing = () => new Trouble('not-found', 'it is not in the package');

/** @throws Trouble `not-found` */
function there<T>(found: T | undefined): T {
  if (found === undefined) throw missing();
  return found;
}
