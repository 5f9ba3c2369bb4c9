/** Sources, account and engine without a server. A test changes them before it opens the page. */
import type { Page, RecordSource } from '../../src/data/source.ts';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { PatientRecord, Person } from '../../src/domain/record/record.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import type { FrameId } from '../../src/domain/study.ts';
import type { VolumeGeometry } from '../../src/domain/volume/volume.ts';
import type { Account } from '../../src/state/sign-in/account.ts';
import type { FirstImage, Imaging, OpenedSeries, OpenedVolume } from '../../src/state/stage/imaging.ts';
import { ServerList } from '../../src/state/browser/server-list.svelte.ts';
import { Servers } from '../../src/state/browser/servers.ts';
import { FakeVolume } from './volume.ts';
import { DrawnEngine, phantomPicture } from './drawn.ts';
import { PEOPLE, RECORD, stackOf } from './fixtures.ts';

export class FakeRecords implements RecordSource {
  answer: PatientRecord = RECORD;
  people: readonly Person[] = PEOPLE;
  trouble: Trouble | undefined;
  readonly asked: string[] = [];
  /** Studies that are comparable with any other. */
  comparable: readonly string[] = [];

  patients({ text = '' }: { text?: string }): Promise<Page<Person>> {
    this.asked.push(text);
    if (this.trouble) return Promise.reject(this.trouble);
    const items = this.people.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
    return Promise.resolve({ items });
  }

  /** Records do not arrive. */
  held = false;

  /** What comes of a record before the rest. */
  begun: PatientRecord | undefined;

  record(
    patientId: string,
    _signal?: AbortSignal,
    onBegun?: (record: PatientRecord) => void,
  ): Promise<PatientRecord> {
    this.asked.push(patientId);
    if (this.begun) onBegun?.(this.begun);
    if (this.held) return new Promise(() => undefined);
    return this.trouble ? Promise.reject(this.trouble) : Promise.resolve(this.answer);
  }

  patientOf(study: string): Promise<string> {
    this.asked.push(study);
    const isKnown = this.answer.studies.some(({ uid, id }) => uid === study || id === study);
    if (this.trouble) return Promise.reject(this.trouble);
    return isKnown ? Promise.resolve('helen') : Promise.reject(new Trouble('not-found', 'no such study'));
  }

  trend: RecordSource['trend'] = () => Promise.resolve([]);

  accesses: RecordSource['accesses'] = () => Promise.resolve({ items: [] });

  priors(): Promise<readonly string[]> {
    return this.trouble ? Promise.reject(this.trouble) : Promise.resolve(this.comparable);
  }

  sharing: RecordSource['sharing'] = () => Promise.reject(new Trouble('not-found', 'no links'));
}

export class FakeImaging implements Imaging {
  readonly drawn = new DrawnEngine();
  trouble: Trouble | undefined;
  /** Metadata do not arrive. */
  held = false;
  /** What the images say of their patient, and other attributes. */
  metadata: Instance = {};
  stacks: ((name: { study: string; series: string }) => readonly Stack[]) | undefined;
  /** Metadata of the series that is opened: documents are not in its stacks. */
  instances: readonly Instance[] = [];
  /** Objects that are no images, by the UID of their series. */
  objects: Readonly<Record<string, readonly Instance[]>> = {};
  ready = 0;
  /** Frames that have not arrived. */
  readonly absent = new Set<FrameId>();
  readonly retried: FrameId[] = [];
  /** Files of a series. */
  files: (series: string) => AsyncGenerator<Uint8Array<ArrayBuffer>> = async function* () {};
  readonly #progress = new Set<() => void>();

  readonly images = {
    rendered: () => phantomPicture(),
    thumbnail: (_at: unknown, { series }: { series: string }) =>
      phantomPicture(Number(series.at(-1)) / 6, 96),
    frame: () => Promise.reject(new Error('there are no frames')),
    instances: (_at: unknown, { series }: { series: string }) => this.files(series),
    bulk: () => Promise.reject(new Error('there are no bulk data')),
  };

  metadataOf(_at: unknown, { series }: { series: string }): Promise<Instance[]> {
    return Promise.resolve([...(this.objects[series] ?? [])]);
  }

  /** Studies whose picture was asked for before the record. */
  readonly foreseen: string[] = [];

  foresee({ study }: { study: string }): Promise<Blob> {
    this.foreseen.push(study);
    return phantomPicture();
  }

  /** The image that the address names; undefined while it does not come. */
  first: FirstImage | undefined;

  firstImage(): Promise<FirstImage | undefined> {
    return Promise.resolve(this.first);
  }

  async openSeries(_at: unknown, name: { study: string; series: string }): Promise<OpenedSeries> {
    if (this.held) await new Promise(() => undefined);
    if (this.trouble) throw this.trouble;
    const stacks = this.stacks?.(name) ?? [stackOf(name, { changes: this.metadata })];
    return {
      stacks,
      instances: this.instances,
      ready: () => this.ready,
      isReady: (frame) => !this.absent.has(frame),
      close: () => undefined,
    };
  }

  engine() {
    return Promise.resolve(this.drawn);
  }

  onProgress(listener: () => void): () => void {
    this.#progress.add(listener);
    return () => this.#progress.delete(listener);
  }

  readonly volumes: FakeVolume[] = [];

  openVolume(stack: Stack, geometry: VolumeGeometry): Promise<OpenedVolume> {
    const volume = new FakeVolume({ stack, geometry, engine: this.drawn });
    this.volumes.push(volume);
    return Promise.resolve(volume);
  }

  retry(frame: FrameId): void {
    this.retried.push(frame);
  }

  /** So many frames of the open series are ready. */
  arrive(ready: number): void {
    this.ready = ready;
    for (const listener of this.#progress) listener();
  }
}

export class FakeAccount implements Account {
  phase: Account['phase'] = 'ready';
  problem: Account['problem'];
  left = false;
  patient: string | undefined;
  signInPossible = true;
  signedIn = true;
  choosesPatient = true;
  isClinician = false;
  sharing: Account['sharing'];
  servers = new ServerList(new Servers({ gateway: 'https://gateway.example/', tenants: ['demo', 'open'] }));
  serverId = 'demo';
  readonly called: string[] = [];
  calls: Account['calls'] = [];

  open(): Promise<void> {
    this.called.push('open');
    return Promise.resolve();
  }

  signIn(): Promise<void> {
    this.called.push('signIn');
    return Promise.resolve();
  }

  trust(): Promise<undefined> {
    this.called.push('trust');
    return Promise.resolve(undefined);
  }

  chooseAnother(): Promise<void> {
    this.called.push('chooseAnother');
    return Promise.resolve();
  }

  signOut(): Promise<void> {
    this.called.push('signOut');
    return Promise.resolve();
  }
}
