// Who may import whom. `npm run check:layers` fails at the first import that is not allowed, type-only ones included.
// docs/architecture.md says what each part and each layer is.

const TEST = String.raw`\.test\.ts$|/test/`;
/** Code that starts real servers and finds the shared data: the tests of every part may use it. */
const TEST_SETUP = '^gateway/test/setup/';
/** The composition root, tests of the whole system and benchmarks know every part. */
const SEES_ALL = String.raw`^gateway/(serve|gateway|app|analysis/[a-z-]+)\.ts$|^(gateway|viewer|conformance)/(test|bench)/`;
/** Run on a developer's machine only, with what is installed there. */
const DEVELOPERS = String.raw`^schema/(generate|contract)/|^schema/process/thread-compiler|^gateway/bundle|^(gateway|viewer)/bench/|\.bench\.ts$|${TEST}`;

/** The parts, and what each may import besides itself. */
const PARTS = {
  schema: [],
  gateway: ['schema'],
  'subgraphs/clinical': ['schema'],
  'subgraphs/imaging': ['schema'],
  'subgraphs/analysis': ['schema'],
  viewer: ['schema'],
  // A package of its own, which is published without the server.
  conformance: [],
};

/** Layers of each subgraph from the top. A file imports from its own layer and from those below. */
const LAYERS = {
  'subgraphs/imaging': [
    ['composition', String.raw`app\.ts$`],
    ['APIs', '(dicomweb|fhir|graphql)/'],
    ['rendering', String.raw`render/[^/]+\.ts$`],
    ['core', '(study|priors)/'],
    ['authorization', 'authorization/'],
    ['cache', 'cache/'],
    ['sources', 'sources/'],
    ['threads', 'threads/'],
    ['work in threads', '(pixels|parsing|measurements|render/image|render/document)/'],
    ['facts and formats', '(facts|dicom|multipart|disk)/'],
  ],
  'subgraphs/clinical': [
    ['composition', String.raw`app\.ts$`],
    ['APIs', '(fhir|graphql)/'],
    ['exports', 'export/'],
    ['over time', '(timeline|trend)/'],
    ['joins', 'joins/'],
    ['core', 'record/'],
    ['authorization', 'authorization/'],
    ['sources', 'sources/'],
    ['search grammar', 'search/'],
  ],
};

/**
 * Imports between the APIs of one subgraph that are still there, each with its reason.
 * @type {readonly { from: string; to: string; reason: string }[]}
 */
const EXCEPTIONS = [
  {
    from: '^subgraphs/imaging/graphql/(dicom-facts|graphql-loaders|page-with-rows|priors|resolvers|search-arguments)\\.ts$',
    to: '^subgraphs/imaging/fhir/(find|imaging-study|page-instances|search|study-endpoint)\\.ts$',
    reason:
      'GraphQL answers FHIR resources; their mapping and search belong into the core, from where both APIs take them',
  },
];

const parts = Object.entries(PARTS).map(([part, others]) => ({
  name: `${part.replace('subgraphs/', '')}-imports-no-other-part`,
  comment: `${part}/ may import ${['itself', ...others].join(' and ')}; only gateway/gateway.ts, serve.ts, app.ts and the roots of gateway/analysis/ know all parts.`,
  severity: 'error',
  from: { path: `^${part}/`, pathNot: SEES_ALL },
  to: {
    path: Object.keys(PARTS)
      .filter((other) => other !== part && !others.includes(other))
      .map((other) => `^${other}/`),
    pathNot: TEST_SETUP,
  },
}));

/** Code for tests is used by tests only. */
const testSetup = {
  name: 'only-tests-import-tests',
  comment: 'Test helpers are no part of the product.',
  severity: 'error',
  from: { path: '^(schema|gateway|subgraphs|viewer|conformance)/', pathNot: DEVELOPERS },
  to: { path: TEST },
};

const layers = Object.entries(LAYERS).flatMap(([part, all]) =>
  all
    .slice(1)
    .map(([name, folder], index) => ({
      name: `${part.replace('subgraphs/', '')}-${name.toLowerCase().replaceAll(' ', '-')}-import-downwards`,
      comment: `Layers of ${part}/ from the top: ${all.map(([layer]) => layer).join(', ')}.`,
      severity: 'error',
      from: { path: `^${part}/${folder}`, pathNot: TEST },
      to: { path: all.slice(0, index + 1).map(([, above]) => `^${part}/${above}`) },
    })),
);

/** Of every subgraph: its APIs call the core, not each other. */
const apis = Object.keys(LAYERS).map((part) => ({
  name: `${part.replace('subgraphs/', '')}-apis-do-not-import-each-other`,
  comment: 'The APIs call the same core. What two of them need is the core’s.',
  severity: 'error',
  from: { path: `^${part}/(dicomweb|fhir|graphql)/`, pathNot: [TEST, ...EXCEPTIONS.map(({ from }) => from)] },
  to: { path: `^${part}/(dicomweb|fhir|graphql)/`, pathNot: `^${part}/$1/` },
}));

/** Layers of the viewer: what each may import besides itself. Components know no transport and no Cornerstone. */
const VIEWER = [
  { layer: 'domain', path: 'domain/', may: [] },
  { layer: 'messages', path: 'messages/', may: [] },
  { layer: 'data', path: 'data/', may: ['domain/', String.raw`graphql-env\.d\.ts$`] },
  { layer: 'pixels', path: 'pixels/', may: ['data/', 'domain/'] },
  {
    layer: 'engine port',
    path: String.raw`engine/[^/]+\.ts$`,
    may: [String.raw`data/trouble\.ts$`, 'domain/'],
  },
  { layer: 'engine', path: 'engine/cornerstone/', may: ['engine/', 'pixels/', 'data/', 'domain/'] },
  { layer: 'first image', path: 'engine/first/', may: [String.raw`engine/[^/]+\.ts$`, 'data/', 'domain/'] },
  {
    layer: 'state',
    path: 'state/',
    may: [String.raw`engine/[^/]+\.ts$`, 'pixels/', 'data/', 'domain/', 'messages/'],
  },
  { layer: 'commands', path: 'commands/', may: ['state/', 'domain/', 'messages/'] },
  {
    layer: 'ui',
    path: 'ui/',
    may: ['commands/', 'state/', 'domain/', 'messages/', String.raw`data/(source|trouble)\.ts$`],
  },
  {
    layer: 'features',
    path: 'features/([^/]+)/',
    itself: 'features/$1/',
    may: [
      String.raw`ui/(controls/|(context|feature)\.ts$|stage/((IdentityBar|Overlay)\.svelte|reports-of\.ts)$)`,
      'commands/',
      'state/',
      'domain/',
      'messages/',
      String.raw`data/(source|trouble)\.ts$`,
    ],
  },
  // A page of its own: of the viewer it uses the sign-in and plain controls.
  {
    layer: 'playground',
    path: 'playground/',
    may: [
      String.raw`state/(sign-in/(smart-[^/]+|sign-in-problem|tokens)|browser/(browser-storage|address)|stage/picture\.svelte)\.ts$`,
      String.raw`data/trouble\.ts$`,
      String.raw`ui/(controls/|classes\.css$)`,
    ],
  },
];
const viewer = VIEWER.map(({ layer, path, itself = path, may }) => ({
  name: `viewer-${layer.replaceAll(' ', '-')}-imports-downwards`,
  comment: `viewer/src/${path} may import ${['itself', ...may].join(', ')}.`,
  severity: 'error',
  from: { path: `^viewer/src/${path}`, pathNot: TEST },
  to: { path: '^viewer/src/', pathNot: [itself, ...may].map((one) => `^viewer/src/${one}`) },
}));

/** Packages of transport and of drawing stay behind their ports. */
const viewerPackages = [
  {
    name: 'viewer-cornerstone-behind-its-port',
    comment:
      'Only engine/cornerstone/ imports Cornerstone: it is large, is loaded late, and can be replaced.',
    severity: 'error',
    from: { path: '^viewer/src/', pathNot: '^viewer/src/engine/(cornerstone|first)/' },
    to: { path: 'node_modules/@cornerstonejs/' },
  },
  {
    name: 'viewer-first-image-without-engine',
    comment: 'The first image is drawn before Cornerstone is there; it uses a decoder alone.',
    severity: 'error',
    from: { path: '^viewer/src/engine/first/' },
    to: { path: 'node_modules/@cornerstonejs/', pathNot: 'node_modules/@cornerstonejs/codec-' },
  },
  {
    name: 'viewer-screens-know-no-transport',
    comment: 'GraphQL is one adapter among others; components take what a source gives.',
    severity: 'error',
    from: { path: '^viewer/src/(ui|features|commands|state)/', pathNot: TEST },
    to: { path: 'node_modules/(@0no-co|gql\\.tada|graphql)/' },
  },
];

/** A file with an exception keeps the rule for all else. */
const exceptions = EXCEPTIONS.map(({ from, to, reason }, index) => ({
  name: `apis-exception-${index + 1}`,
  comment: reason,
  severity: 'error',
  from: { path: from },
  to: { path: String.raw`^subgraphs/imaging/(dicomweb|fhir)/`, pathNot: to },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'Files that import each other cannot be understood one by one. Types count too.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...parts,
    testSetup,
    ...layers,
    ...apis,
    ...exceptions,
    ...viewer,
    ...viewerPackages,
    {
      name: 'conformance-needs-no-package',
      comment: 'It is published without dependencies.',
      severity: 'error',
      from: { path: '^conformance/', pathNot: TEST },
      to: { path: 'node_modules/' },
    },
    {
      name: 'no-development-package',
      comment: 'What runs in production is among the dependencies of package.json.',
      severity: 'error',
      from: { path: '^(schema|gateway|subgraphs)/', pathNot: DEVELOPERS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-unresolved-import',
      comment: 'The file or package is not there.',
      severity: 'error',
      from: {},
      // Generated, or left out by npm where Node is too old.
      to: {
        couldNotResolve: true,
        pathNot: String.raw`graphql-env\.d\.ts$|^\.\./dist/|messages/compiled/|^better-sqlite3-node22$`,
      },
    },
    {
      name: 'no-empty-name',
      comment: 'A name like utils.ts says nothing; take the word of the standard.',
      severity: 'error',
      from: {},
      to: { path: String.raw`/(utils?|helpers?|common|misc|index)\.ts$`, pathNot: 'node_modules' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Generated, and written again by other checks at the same time.
    exclude: { path: '^dist/|/messages/compiled/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['main', 'types', 'typings'],
    },
  },
};
