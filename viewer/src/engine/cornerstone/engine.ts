/** Draws images by Cornerstone, with WebGL or without. */
import {
  cache,
  Enums,
  eventTarget,
  getRenderingCapabilities,
  getWebWorkerManager,
  imageLoadPoolManager,
  init,
  isCornerstoneInitialized,
  RenderingEngine,
  setUseCPURendering,
  type Types,
} from '@cornerstonejs/core';
import { Trouble } from '../../data/trouble.ts';
import type { FrameStore } from '../../pixels/frame-store.ts';
import type { Engine, View } from '../port.ts';
import { detectGraphics, lookForCard } from './graphics.ts';
import { registerImages } from './images.ts';
import { CornerstoneView } from './view.ts';

export interface EngineOptions {
  /** Without it, the first image is drawn without WebGL, and then WebGL is used where a graphics card does the work. */
  rendering?: 'webgl' | 'cpu';
  detect?: typeof detectGraphics;
}

/** Decoded images that Cornerstone keeps; the frame store keeps the bytes of more. */
const DECODED_BYTES = 128 * 1024 * 1024;
/** The name by which Cornerstone calls its decoder. */
const DECODER = 'dicomImageLoader';
const DECODERS = 2;
/** As many as views in the largest layout. */
const WEBGL_CONTEXTS = 4;
/** Milliseconds after the first image until a graphics card is looked for. */
const FIRST_IMAGES = 1_000;
/** Graphics that are not restored after this time are done without. Milliseconds. */
const RESTORE_WAIT = 3_000;

/** Returns an engine; its views read frames of the store. Cornerstone is initialized by the first one of a page. */
export function createEngine(store: FrameStore, options: EngineOptions = {}): CornerstoneEngine {
  if (!isCornerstoneInitialized()) {
    lookForCard(options.rendering === 'webgl');
    init({ rendering: { webGlContextCount: WEBGL_CONTEXTS } } as Types.Cornerstone3DConfig);
    const newWorker = () => new Worker(new URL('./decode-worker.ts', import.meta.url), { type: 'module' });
    getWebWorkerManager().registerWorker(DECODER, newWorker, { maxWorkerInstances: DECODERS });
    registerImages();
    cache.setMaxCacheSize(DECODED_BYTES);
    imageLoadPoolManager.grabDelay = 0;
    // It holds for all engines of the page.
    setUseCPURendering(!getRenderingCapabilities().webgl);
  }
  const engine = new CornerstoneEngine(store, options);
  engines.add(engine);
  return engine;
}

/** The engines of the page. */
const engines = new Set<CornerstoneEngine>();

interface Place {
  id: string;
  element: HTMLDivElement;
  view: CornerstoneView;
}

export class CornerstoneEngine implements Engine {
  #store: FrameStore;
  #rendering: RenderingEngine | undefined;
  #places = new Map<string, Place>();
  #opened = 0;
  #works = true;
  /** Undefined when a graphics card is looked for, or shall not be. */
  #detect: typeof detectGraphics | undefined;
  #resizing: ResizeObserver;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(store: FrameStore, { rendering, detect = detectGraphics }: EngineOptions) {
    this.#store = store;
    this.#detect = rendering === undefined ? detect : undefined;
    this.#resizing = new ResizeObserver(() => this.#resize());
    eventTarget.addEventListener(Enums.Events.WEBGL_CONTEXT_LOST, this.#onLost);
    eventTarget.addEventListener(Enums.Events.WEBGL_CONTEXT_RESTORED, this.#onRestored);
  }

  open(element: HTMLElement): View {
    const id = `view-${++this.#opened}`;
    const div = element as HTMLDivElement;
    this.#rendering ??= new RenderingEngine(`engine-${crypto.randomUUID()}`);
    this.#enable(id, div);
    this.#resizing.observe(element);
    const view = new CornerstoneView(div, this.#store, {
      viewport: () => this.#rendering!.getViewport(id) as Types.IStackViewport,
      works: () => this.#works,
      close: () => {
        this.#resizing.unobserve(element);
        this.#places.delete(id);
        this.#rendering?.disableElement(id);
        element.replaceChildren();
      },
    });
    this.#places.set(id, { id, element: div, view });
    view.onShown(() => this.#lookForCard());
    return view;
  }

  /** Uses a graphics card if there is one. The first image does not wait for that: it takes long where there is none. */
  #lookForCard(): void {
    const detect = this.#detect;
    this.#detect = undefined;
    if (!detect || this !== engines.values().next().value) return;
    setTimeout(() => {
      void detect().then((found) => {
        if (found === 'none') return;
        lookForCard(true);
        const { webgl, softwareRasterizer } = getRenderingCapabilities();
        // WebGL by the processor is slower than drawing without it.
        if (!webgl || (softwareRasterizer && found !== 'card')) return;
        setUseCPURendering(false, false);
        for (const engine of engines) engine.#restart();
      });
    }, FIRST_IMAGES);
  }

  /** Closes all views, and frees the graphics. */
  close(): void {
    engines.delete(this);
    for (const { view } of [...this.#places.values()]) view.close();
    clearTimeout(this.#waiting);
    this.#resizing.disconnect();
    eventTarget.removeEventListener(Enums.Events.WEBGL_CONTEXT_LOST, this.#onLost);
    eventTarget.removeEventListener(Enums.Events.WEBGL_CONTEXT_RESTORED, this.#onRestored);
    this.#rendering?.destroy();
    this.#rendering = undefined;
  }

  #enable(viewportId: string, element: HTMLDivElement): void {
    const tabIndex = element.getAttribute('tabindex');
    this.#rendering!.enableElement({ viewportId, type: Enums.ViewportType.STACK, element });
    // Cornerstone takes the element out of the Tab order.
    if (tabIndex === null) element.removeAttribute('tabindex');
    else element.setAttribute('tabindex', tabIndex);
  }

  #resize(): void {
    this.#rendering?.resize(false, false);
    for (const { view } of this.#places.values()) view.resized();
  }

  #onLost = (): void => {
    if (!this.#works) return;
    this.#works = false;
    const trouble = new Trouble('graphics', 'the WebGL context is lost');
    for (const { view } of this.#places.values()) view.stopped(trouble);
    this.#waiting = setTimeout(() => {
      setUseCPURendering(true, false);
      this.#restart();
    }, RESTORE_WAIT);
  };

  #onRestored = (): void => {
    if (!this.#works) this.#restart();
  };

  /** Begins with new graphics: those that were lost cannot be trusted to draw what they held. */
  #restart(): void {
    clearTimeout(this.#waiting);
    this.#rendering?.destroy();
    this.#rendering = new RenderingEngine(`engine-${crypto.randomUUID()}`);
    this.#works = true;
    for (const { id, element, view } of this.#places.values()) {
      element.replaceChildren();
      this.#enable(id, element);
      view.restarted();
    }
  }
}
