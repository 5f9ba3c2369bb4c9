import { Trouble } from '../../../data/trouble.ts';
import type { Levels } from '../../../commands/levels.ts';
import { texts } from '../../../../../schema/dicom/dicom.ts';
import { text } from '../../../domain/instance.ts';
import { openingIndex } from '../../../domain/series/opening-place.ts';
import type { Stack } from '../../../domain/series/stacks.ts';
import type { Series, Study } from '../../../domain/study.ts';
import { fusionCandidates, petScaleOf, type PetScale, type SeriesOf } from '../../../domain/volume/fusion.ts';
import { isNoVolume, volumeOf, type VolumeGeometry } from '../../../domain/volume/volume.ts';
import { onePer } from '../../../state/browser/one-per.ts';
import { troubleOf } from '../../../state/browser/trouble-of.ts';
import type { Cell } from '../../../state/stage/cell.svelte.ts';
import type { OpenedSeries, OpenedVolume, VolumeProgress } from '../../../state/stage/imaging.ts';
import type { Workspace } from '../../../state/stage/workspace.svelte.ts';
import { mprOf, type Mpr } from '../mpr.svelte.ts';

/** `reference`: no two lie in one frame of reference. `scale`: the PET's values have no meaning that could be shown. */
export type NoFusion = 'reference' | 'volume' | 'scale' | Trouble;

interface Opened extends SeriesOf {
  opened: OpenedSeries;
  stack: Stack | undefined;
  geometry: VolumeGeometry | undefined;
}

interface Pair {
  pet: Opened & { stack: Stack; geometry: VolumeGeometry };
  base: Opened & { stack: Stack };
  scale: PetScale;
}

/** A PET whose volume is being loaded, or is there. */
interface Pet {
  volume: OpenedVolume;
  stack: Stack;
  scale: PetScale;
}

/** A PET over planes of a CT or an MR. */
class Fusion {
  phase = $state<'off' | 'opening' | 'on'>('off');
  /** Why there is none, and of which images that is said. */
  refused = $state.raw<{ cell: Cell; series: Series | undefined; reason: NoFusion }>();
  /** From 0 to 1. */
  opacity = $state(0.6);
  /** In the unit of the scale: the value from which on the PET has its brightest colour. */
  most = $state(0);
  pet = $state.raw<Pet>();
  progress = $state.raw<VolumeProgress>();
  /** Why its values cannot be had. */
  trouble = $state.raw<Trouble>();
  readonly #workspace: Workspace;
  readonly #mpr: Mpr;
  /** Ends what has been opened for the fusion that is there. */
  #ends: (() => void)[] = [];
  #search: AbortController | undefined;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
    this.#mpr = mprOf(workspace);
  }

  /** Studies on the stage. */
  get #studies(): Study[] {
    const { cells, study } = this.#workspace;
    return [...new Set([study, ...cells.map((cell) => cell.study)])].filter((one) => one !== undefined);
  }

  /** True if there are series that may be a pair; their metadata say whether they are. */
  get possible(): boolean {
    const { pets, bases } = fusionCandidates(this.#studies, undefined);
    return pets.length > 0 && bases.length > 0;
  }

  /** True when all slices of the PET are there. */
  get ready(): boolean {
    return this.progress !== undefined && this.progress.ready === this.progress.all;
  }

  /** Finds a PET and a series of the same frame of reference, and shows both. Says why where there are none. */
  async open(levels: Levels): Promise<void> {
    this.#mpr.close();
    const search = (this.#search = new AbortController());
    const { active: cell, study } = this.#workspace;
    this.refused = undefined;
    this.phase = 'opening';
    search.signal.addEventListener(
      'abort',
      levels.enter(() => this.close()),
    );
    const found = await this.#find(search.signal).catch(troubleOf);
    if (this.#search !== search) return;
    if (this.#workspace.study !== study || this.#mpr.phase !== 'off') return this.close();
    if (typeof found !== 'string' && !(found instanceof Trouble)) return this.#show(found);
    this.close();
    this.refused = { cell, series: cell.series, reason: found };
  }

  close(): void {
    if (this.phase === 'on') return this.#mpr.close();
    this.#ended();
  }

  /** Asks again for what has failed. */
  again(): void {
    // Of values that could not be read nothing can be asked for again.
    if (this.trouble) this.close();
    else this.pet?.volume.again();
  }

  async #show({ pet, base, scale }: Pair): Promise<void> {
    const { study, series, stack } = base;
    const shown = this.#workspace.cellOf(series);
    const at = shown?.stack?.key === stack.key ? shown.wanted : openingIndex(stack);
    void this.#mpr.open({ study, series, stack, at, window: shown?.window });
    this.#mpr.onEnd(() => this.#ended());
    this.phase = 'on';
    const ends = this.#ends;
    // The planes say why, where no volume can be opened.
    const volume = await this.#workspace.imaging.openVolume(pet.stack, pet.geometry).catch(() => undefined);
    if (this.#ends !== ends) return volume?.close();
    if (!volume) return;
    ends.push(
      () => volume.close(),
      volume.onProgress(() => (this.progress = volume.progress())),
    );
    this.progress = volume.progress();
    this.most = scale.usual;
    this.pet = { volume, stack: pet.stack, scale };
  }

  /** @throws Trouble of a request */
  async #find(signal: AbortSignal): Promise<Pair | Exclude<NoFusion, Trouble>> {
    const { pets, bases } = fusionCandidates(this.#studies, this.#workspace.active.series);
    const known = new Map<SeriesOf, Opened>();
    const open = async (one: SeriesOf) => {
      const opened = known.get(one) ?? (await this.#openSeries(one, signal));
      known.set(one, opened);
      return opened;
    };
    let reason: Exclude<NoFusion, Trouble> = 'reference';
    // Without SUV, such as one that was made without attenuation correction, or of a patient without a weight.
    let second: Pair | undefined;
    let failed: Error | undefined;
    // One that cannot be opened leaves the others.
    const openIfPossible = (one: SeriesOf) =>
      open(one).catch((error: Error) => {
        signal.throwIfAborted();
        failed ??= error;
        return undefined;
      });
    for (const one of pets) {
      const pet = await openIfPossible(one);
      if (!pet) continue;
      for (const other of bases) {
        const base = await openIfPossible(other);
        if (!base) continue;
        if (referenceOf(pet) === undefined || referenceOf(pet) !== referenceOf(base)) continue;
        if (!isVolume(pet) || !isVolume(base)) reason = 'volume';
        else {
          const scale = petScaleOf(pet.stack, pet.opened.instances);
          const isChosen = one.series.uid === this.#workspace.active.series?.uid;
          if (scale && (scale.unit === 'SUV' || isChosen)) return { pet, base, scale };
          if (!scale) reason = 'scale';
          else if (!second || (isCorrected(pet) && !isCorrected(second.pet))) second = { pet, base, scale };
        }
      }
    }
    if (!second && failed && reason === 'reference') throw failed;
    return second ?? reason;
  }

  /** Series that are open stay so until the fusion ends. */
  async #openSeries({ study, series }: SeriesOf, signal: AbortSignal): Promise<Opened> {
    const at = series.location ?? study.location;
    if (!at) throw new Trouble('not-found', 'no archive has this series');
    const name = { study: study.uid, series: series.uid };
    const opened = await this.#workspace.imaging.openSeries(at, name, signal);
    if (signal.aborted) opened.close();
    else this.#ends.push(() => opened.close());
    signal.throwIfAborted();
    const stack = opened.stacks[0];
    const geometry = stack && volumeOf(stack);
    return {
      study,
      series,
      opened,
      stack,
      geometry: geometry && isNoVolume(geometry) ? undefined : geometry,
    };
  }

  #ended(): void {
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) end();
    this.phase = 'off';
    this.pet = this.progress = this.trouble = undefined;
    const search = this.#search;
    this.#search = undefined;
    search?.abort();
  }
}

function referenceOf({ stack }: Opened): string | undefined {
  return stack && text(stack.frames[0]!.metadata, '00200052');
}

/** True for a PET that is corrected for attenuation (PS3.3 §C.8.9.1). */
function isCorrected({ stack }: Opened): boolean {
  return stack !== undefined && texts(stack.frames[0]!.metadata, '00280051').includes('ATTN');
}

function isVolume(one: Opened): one is Opened & { stack: Stack; geometry: VolumeGeometry } {
  return one.geometry !== undefined;
}

/** Returns the fusion of a workspace. */
export const fusionOf = onePer((workspace: Workspace) => new Fusion(workspace));
