/** Makes the files of a take-along package, one after the other, as images arrive. */
import { troubleOf } from '../../state/browser/trouble-of.ts';
import type { RecordSource } from '../../data/source.ts';
import { Trouble } from '../../data/trouble.ts';
import { fileMeta, framePlaces } from '../../domain/dicom/frame-places.ts';
import { isVideo } from '../../domain/documents/video.ts';
import { framesOf } from '../../domain/grey/frames.ts';
import { instanceUid, number, type Instance } from '../../domain/instance.ts';
import { PackageWriter, type Range, type SealedPart } from '../../domain/package/container.ts';
import type { MissingImages, PackageIndex, PackedFile, PackedSeries } from '../../domain/package/content.ts';
import { referencesIn } from '../../domain/package/references.ts';
import type { PatientRecord, Trend } from '../../domain/record/record.ts';
import { codesOf } from '../../domain/record/trend-codes.ts';
import type { ImageLocation, Series } from '../../domain/study.ts';
import type { Imaging } from '../../state/stage/imaging.ts';
import type { ZippedFile } from '../../ui/controls/save-zip.ts';

export interface Wanted {
  /** The record as it goes into the package, with one study, whose series have their places. */
  record: PatientRecord;
  study: { uid: string; series: readonly PlacedSeries[] };
  passcode: string;
}

export interface PlacedSeries extends Series {
  location: ImageLocation;
}

interface Sources {
  imaging: Pick<Imaging, 'images' | 'metadataOf'>;
  records: Pick<RecordSource, 'trend'>;
}

/** Counts of what has been made. */
export interface Progress {
  /** Files of images. */
  done: number;
  /** Of these files. */
  bytes: number;
}

/** The package as far as it is known in the clear. */
export interface PackageFacts {
  salt: string;
  parts: number;
  images: number;
  missing: readonly MissingImages[];
}

/** All of its parts are in the memory of the browser while a package is open. */
const MOST_BYTES = 2_000_000_000;
/** A line that was cut is asked once more. */
const ATTEMPTS = 2;

/** The images are more than a browser can open from one file. */
export class TooMuch extends Error {}

type Names = { study: string; series: string };
type Files = AsyncGenerator<ZippedFile, void>;

export class Packing {
  readonly #wanted: Wanted;
  readonly #sources: Sources;
  readonly #onProgress: (progress: Progress) => void;
  readonly #signal: AbortSignal;
  #writer!: PackageWriter;
  #parts = 0;
  #done = 0;
  #bytes = 0;
  readonly #series: PackedSeries[] = [];
  readonly #files: Record<string, PackedFile> = {};
  readonly #values: Record<string, readonly Range[]> = {};
  /** Why the last images are missing. */
  #trouble: Trouble | undefined;
  readonly missing: MissingImages[] = [];

  constructor(
    wanted: Wanted,
    sources: Sources,
    { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: Progress) => void },
  ) {
    this.#wanted = wanted;
    this.#sources = sources;
    this.#signal = signal;
    this.#onProgress = onProgress;
  }

  /**
   * Yields the files of the zip.
   * @param opening returns those that are no part of the container, when all parts are made
   * @throws Trouble if no image has arrived; TooMuch; the reason of the signal
   */
  async *files(opening: (facts: PackageFacts) => readonly ZippedFile[]): Files {
    this.#writer = await PackageWriter.begin(this.#wanted.passcode);
    for (const [at, series] of this.#wanted.study.series.entries()) yield* this.#addSeries(series, at);
    if (this.#done === 0) throw this.#trouble ?? new Trouble('not-found', 'there are no images');
    const record = yield* this.#withDocuments(this.#wanted.record);
    const index: PackageIndex = {
      record,
      trends: await this.#trends(),
      series: this.#series,
      files: this.#files,
      values: this.#values,
      missing: this.missing,
    };
    yield* this.#scripts(this.#writer.end(index));
    const { salt } = this.#writer;
    yield* opening({ salt, parts: this.#parts, images: this.#done, missing: this.missing });
  }

  async *#addSeries(series: PlacedSeries, place: number): Files {
    const { location: at } = series;
    const name = { study: this.#wanted.study.uid, series: series.uid };
    const { imaging } = this.#sources;
    const { images } = imaging;
    const instances = (await this.#tried(imaging.metadataOf(at, name, this.#signal))) ?? [];
    const lost = new Set(instances.map(instanceUid));
    for (let attempt = 0; attempt < ATTEMPTS && lost.size > 0; attempt++) {
      const files = images.instances(at, name, this.#signal);
      yield* this.#addFiles(files, { instances, lost, at, name });
    }
    const picture = await this.#tried(images.thumbnail(at, name, this.#signal));
    const bytes = picture && new Uint8Array(await picture.arrayBuffer());
    const thumbnail = bytes && { type: picture.type, range: yield* this.#put(bytes) };
    this.#series.push({ uid: series.uid, instances, ...(thumbnail && { thumbnail }) });
    // Without metadata it is not known what there is; the record may know how much.
    const count = lost.size || (instances.length === 0 ? (series.numberOfInstances ?? 1) : 0);
    if (count > 0) this.missing.push({ series: String(series.number ?? `${place + 1}`), count });
  }

  /** @param lost UIDs of those that have not arrived; the others are taken out */
  async *#addFiles(
    files: AsyncIterable<Uint8Array<ArrayBuffer>>,
    { instances, lost, at, name }: { instances: readonly Instance[]; lost: Set<string> } & Place,
  ): Files {
    try {
      for await (const bytes of files) {
        const uid = fileMeta(bytes)?.uid ?? '';
        const instance = lost.has(uid) && instances.find((one) => instanceUid(one) === uid);
        if (!instance) continue;
        try {
          yield* this.#addFile(bytes, instance, { at, name });
          lost.delete(uid);
        } catch (error) {
          // The others may come.
          this.#failed(error);
        }
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  async *#addFile(bytes: Uint8Array<ArrayBuffer>, instance: Instance, place: Place): Files {
    const range = yield* this.#put(bytes);
    const frames = framesOf(place.name, instance);
    const bits = number(instance, '00280100') === 1 ? (frames[0]?.bytes ?? 0) * 8 : 8;
    const found = framePlaces(bytes, { frames: Math.max(1, frames.length), bits });
    const moved = (parts: readonly Range[]) => parts.map(([at, length]): Range => [range[0] + at, length]);
    const url = instance['7FE00010']?.BulkDataURI;
    if (found && url !== undefined) this.#values[url] = moved(found.value);
    const uid = instanceUid(instance);
    this.#files[uid] = {
      range,
      transferSyntax: found?.transferSyntax ?? '',
      frames: found?.frames.map(moved) ?? [],
    };
    // Those that cannot be told apart in the file are asked for.
    if (frames.length > 0 && (found?.frames ?? []).length === 0 && !isVideo(instance))
      yield* this.#addFrames(uid, frames.length, place);
    for (const address of referencesIn(instance)) {
      const value = await this.#sources.imaging.images.bulk(address, this.#signal);
      this.#values[address] = [yield* this.#put(value)];
    }
    this.#done++;
    this.#bytes += bytes.length;
    this.#onProgress({ done: this.#done, bytes: this.#bytes });
  }

  async *#addFrames(instance: string, count: number, { at, name }: Place): Files {
    const frames: Range[][] = [];
    let { transferSyntax } = this.#files[instance]!;
    for (let frame = 1; frame <= count; frame++) {
      const asked = { ...name, instance, frame };
      const answer = await this.#sources.imaging.images.frame(at, asked, this.#signal);
      ({ transferSyntax } = answer);
      frames.push([yield* this.#put(answer.bytes)]);
    }
    this.#files[instance] = { ...this.#files[instance]!, transferSyntax, frames };
  }

  /** Adds the documents that reports name by their address. One that does not arrive is said to be missing. */
  async *#withDocuments(record: PatientRecord): AsyncGenerator<ZippedFile, PatientRecord> {
    const missing = [...record.missing];
    const reports = [...record.reports, ...record.timeline.flatMap((entry) => entry.reports)];
    for (const { url } of reports.flatMap(({ attachments }) => attachments)) {
      if (url === undefined || this.#values[url]) continue;
      const value = await this.#tried(this.#sources.imaging.images.bulk(url, this.#signal));
      if (value) this.#values[url] = [yield* this.#put(value)];
      else missing.push({ part: 'record', message: 'A document of a report did not arrive.' });
    }
    return { ...record, missing };
  }

  async #trends(): Promise<Record<string, readonly Trend[]>> {
    const { person, timeline } = this.#wanted.record;
    const results = timeline.flatMap((entry) => entry.results);
    const trends: Record<string, readonly Trend[]> = {};
    for (const code of new Set(results.flatMap((one) => [...codesOf(one).keys()]))) {
      const found = await this.#tried(this.#sources.records.trend(person.id, code, this.#signal));
      if (found) trends[code] = found;
    }
    return trends;
  }

  /** Adds bytes. @returns where they are */
  async *#put(bytes: Uint8Array): AsyncGenerator<ZippedFile, Range> {
    this.#signal.throwIfAborted();
    const at = this.#writer.length;
    if (at + bytes.length > MOST_BYTES) throw new TooMuch();
    yield* this.#scripts(this.#writer.add(bytes));
    return [at, bytes.length];
  }

  /** A page that is opened from a file reads others as scripts alone. */
  async *#scripts(parts: AsyncIterable<SealedPart>): Files {
    for await (const { iv, data } of parts) {
      const number = this.#parts++;
      const name = `data/part-${String(number).padStart(5, '0')}.js`;
      yield { name, input: `part(${number},"${iv}","${data}");\n` };
    }
  }

  /** @returns undefined for what does not arrive @throws the reason of the signal */
  async #tried<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked;
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    this.#signal.throwIfAborted();
    if (error instanceof TooMuch) throw error;
    this.#trouble = troubleOf(error);
  }
}

interface Place {
  at: ImageLocation;
  name: Names;
}
