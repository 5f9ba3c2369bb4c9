/** A study of the patient beside the one that is open: which one, and how both scroll together. */
import { untrack } from 'svelte';
import type { Trouble } from '../../data/trouble.ts';
import { similarSeries } from '../../domain/series/similar-series.ts';
import { isStored, type Study } from '../../domain/study.ts';
import type { Address } from '../../state/browser/address.ts';
import { troubleOf } from '../../state/browser/trouble-of.ts';
import type { Page } from '../../ui/context.ts';
import { LinkedScroll } from './linked-scroll.svelte.ts';
import { LinkedView } from './linked-view.svelte.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** Why nothing was opened: there is no comparable study, its images are not stored, or the record does not have it. */
export type Nothing = 'none' | 'not-stored' | 'unknown';

class Comparison {
  /** Comparable earlier studies of a study, newest first. */
  priors = $state.raw<{ of: string; studies: readonly Study[] }>();
  asking = $state(false);
  /** Why the earlier studies are not known. */
  trouble = $state.raw<Trouble>();
  nothing = $state<Nothing>();
  readonly scroll: LinkedScroll;
  readonly view: LinkedView;
  readonly #page: Page;
  #request: AbortController | undefined;

  constructor(page: Page) {
    this.#page = page;
    this.scroll = new LinkedScroll(page.workspace);
    this.view = new LinkedView(page.workspace, this.scroll);
  }

  /** The study that is shown beside. */
  get study(): Study | undefined {
    return this.#page.workspace.besideCell?.study;
  }

  /** Opens the newest comparable earlier study; ends a comparison that is open. */
  async toggle(): Promise<void> {
    this.dismiss();
    if (this.study) return this.close();
    const priors = await this.find();
    if (!priors || this.study) return;
    const prior = priors.find(isStored);
    if (prior) this.show(prior);
    else this.nothing = priors.length > 0 ? 'not-stored' : 'none';
  }

  /** Returns the comparable earlier studies that the record has; undefined if they are not known. */
  async find(): Promise<readonly Study[] | undefined> {
    const { workspace, records, record } = this.#page;
    const of = workspace.study?.uid;
    if (of === undefined) return undefined;
    if (this.priors?.of === of) return this.priors.studies;
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    this.asking = true;
    this.trouble = undefined;
    try {
      const uids = await records.priors(of, request.signal);
      if (request.signal.aborted) return undefined;
      const known = record.record?.studies ?? [];
      const studies = uids.flatMap((uid) => known.find((one) => one.uid === uid || one.id === uid) ?? []);
      this.priors = { of, studies };
      return studies;
    } catch (error) {
      if (!request.signal.aborted) this.trouble = troubleOf(error);
      return undefined;
    } finally {
      if (this.#request === request) this.asking = false;
    }
  }

  /** Shows a study to the right of the one that is open. The browser's Back ends it. */
  show(study: Study): void {
    const { route, workspace } = this.#page;
    this.dismiss();
    const layout = workspace.layout === '2x2' && this.study ? '2x2' : '1x2';
    const changes = { study: workspace.study?.uid, beside: { study: study.uid }, layout, screen: undefined };
    route.go(changes as Partial<Address>);
  }

  close(): void {
    this.#page.workspace.closeBeside();
  }

  /** Takes away what is said about a search for earlier studies. */
  dismiss(): void {
    this.#request?.abort();
    this.asking = false;
    this.nothing = this.trouble = undefined;
  }

  /** Opens or closes what the address names. */
  followAddress(asked: string | undefined): void {
    const { workspace, route, record } = this.#page;
    if (asked === this.study?.uid || !workspace.study || !record.record) return;
    const { layout, beside } = route.address;
    if (asked === undefined) {
      workspace.closeBeside();
      if (layout) workspace.setLayout(layout);
      return;
    }
    const study = record.record.studies.find(({ uid, id }) => uid === asked || id === asked);
    const series =
      study?.series.find(({ uid }) => uid === beside?.series) ??
      (study && similarSeries(workspace.addressed.cell.series, study));
    if (!study || !series) {
      this.nothing = 'unknown';
      return route.replace({ beside: undefined } as Partial<Address>);
    }
    if (layout && layout !== '1x1') workspace.setLayout(layout);
    workspace.showBeside(study, series, { image: beside?.image });
  }

  /** Writes what is shown beside into the address, once the study that was opened is there. */
  tellAddress(): void {
    const { workspace, route } = this.#page;
    const { study, series, count = 0, wanted = 0 } = workspace.besideCell ?? {};
    const image = count > 0 ? wanted + 1 : undefined;
    const isOpen = workspace.addressed.cell.count > 0;
    untrack(() => {
      if (!isOpen) return;
      // While its images are opened, the address knows more.
      if (study && count === 0 && route.address.beside?.study === study.uid) return;
      route.go({ beside: study && { study: study.uid, series: series?.uid, image } } as Partial<Address>);
    });
  }
}

/** Returns the comparison of a page. */
export const comparisonOf = onePer((page: Page) => new Comparison(page));
