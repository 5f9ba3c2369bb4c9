/** Keeps out of the build what Cornerstone brings along and a stack of images never uses: half of its bytes. */
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

interface Part {
  /** The importing file. */
  from: RegExp;
  /** The import, as it is written there. */
  what: RegExp;
  /** The code that it gets instead. */
  code: string;
}

const PREFIX = '\0engine-part:';
const EMPTY_CLASS = 'export default class {}';

/** The members that Cornerstone reads when its modules are loaded. Its metadata come from us (`modules.ts`). */
const DCMJS = `
  const silent = () => undefined;
  const logger = { trace: silent, debug: silent, info: silent, log: silent, warn: console.warn, error: console.error };
  export const log = { ...logger, getLogger: () => ({ ...logger }) };
  export const constants = {};
  export const data = { DicomMetaDictionary: { dictionary: {}, nameMap: {} } };
  export const utilities = { DicomMetadataListener: class {} };
  export const async = { AsyncDicomReader: class {} };
  export default { log, constants, data, utilities, async };
`;

const GRAPHICS = fileURLToPath(new URL('src/engine/cornerstone/graphics.ts', import.meta.url));
const CAPABILITIES = `
  import { getRenderingCapabilities as detected } from '@cornerstonejs/core/utilities/renderingCapabilities';
  import { mayLookForCard } from ${JSON.stringify(GRAPHICS)};
  export * from '@cornerstonejs/core/utilities/renderingCapabilities';
  const none = { webgl: false, webgl2: false, maxTextureSize: 0, renderer: '', softwareRasterizer: false };
  export const getRenderingCapabilities = () => (mayLookForCard() ? detected() : none);
`;

/** Cornerstone makes a decoder for each frame, and ends none: each keeps its frame in memory that is never given back. */
const OPENJPH = `
  import load from '@cornerstonejs/codec-openjph/wasmjs';
  export default async function loadOneDecoder(options) {
    const codec = await load(options);
    let last;
    return {
      HTJ2KDecoder: function () {
        last?.delete();
        return (last = new codec.HTJ2KDecoder());
      },
    };
  }
`;

/** A decoder that is not there. */
const NO_JPEG_XL = `
  export default async () => {
    throw new Error('JPEG XL is not decoded.');
  };
`;

const PARTS: readonly Part[] = [
  // The dictionary of DICOM, and parsers of files.
  { from: /@cornerstonejs\/(metadata|utils)\//, what: /^dcmjs$/, code: DCMJS },
  // Viewports of volumes, videos, slides and ECGs. Who needs one registers it (registerViewportType, resolveClass).
  {
    from: /core\/dist\/esm\/RenderingEngine\/helpers\/viewportTypeToViewportClass\.js$/,
    what: /\/(?!StackViewport|ViewportTypes?\.)\w*viewport\w*\.js$/i,
    code: EMPTY_CLASS,
  },
  // Meshes are read from files.
  { from: /@cornerstonejs\/core\//, what: /vtk\.js\/IO\//, code: EMPTY_CLASS },
  // Without a graphics card it need not be asked for once more.
  { from: /core\/dist\/esm\/(init|index)\.js$/, what: /\/renderingCapabilities\.js$/, code: CAPABILITIES },
  // What a decoder asks of Node, which it does not need in a browser.
  { from: /@cornerstonejs\/codec-/, what: /^(fs|path|crypto)$/, code: 'export default {}' },
  { from: /\/decoders\/decodeHTJ2K\.js$/, what: /^@cornerstonejs\/codec-openjph\/wasmjs$/, code: OPENJPH },
  // The gateway gives no JPEG XL.
  { from: /\/decodeImageFrameWorker\.js$/, what: /\/decodeJPEGXL\.js$/, code: NO_JPEG_XL },
  // There is WebGL, or there are no graphics.
  { from: /@kitware\/vtk\.js\//, what: /\/WebGPU\//, code: EMPTY_CLASS },
];

/** Modules that do nothing when they are loaded: unused ones may be left out, although their packages do not say so. */
const NO_EFFECTS = /@cornerstonejs\/(dicom-image-loader\/dist|codec-\w+|calculate-suv)/;
const HAS_EFFECTS = /decodeImageFrameWorker\.js/;

/** Returns the plugin for Vite, for pages and for workers. */
export function engineParts(): Plugin {
  return {
    name: 'engine-parts',
    enforce: 'pre',
    resolveId(source, importer = '') {
      const part = PARTS.findIndex(({ from, what }) => from.test(importer) && what.test(source));
      return part < 0 ? null : `${PREFIX}${part}`;
    },
    load(id) {
      return id.startsWith(PREFIX) ? PARTS[Number(id.slice(PREFIX.length))]!.code : null;
    },
    transform(code, id) {
      if (!NO_EFFECTS.test(id) || HAS_EFFECTS.test(id)) return null;
      return { code, map: null, moduleSideEffects: false };
    },
  };
}
