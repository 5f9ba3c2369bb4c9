import { codecs } from '../../../subgraphs/imaging/test/fuzz/codecs.ts';
import { dicomWeb } from '../../../subgraphs/imaging/test/fuzz/dicom-web.ts';
import { dimseConnection } from '../../../subgraphs/imaging/test/fuzz/dimse.ts';
import { http } from '../../../subgraphs/imaging/test/fuzz/http.ts';
import { multipart } from '../../../subgraphs/imaging/test/fuzz/multipart.ts';
import { part10 } from '../../../subgraphs/imaging/test/fuzz/part10.ts';
import { render } from '../../../subgraphs/imaging/test/fuzz/render.ts';
import type { Target } from '../../../subgraphs/imaging/test/fuzz/target.ts';
import { dicomFiles } from './dicom-files.ts';
import { graphqlDocuments } from './graphql-documents.ts';
import { rawRequests } from './raw-requests.ts';
import { searchUrls } from './search-urls.ts';

/** The parts of the imaging subgraph, each called directly, and the whole gateway over HTTP. */
export const TARGETS: readonly Target[] = [
  part10,
  multipart,
  codecs,
  render,
  http,
  dicomWeb,
  dimseConnection,
  dicomFiles,
  graphqlDocuments,
  searchUrls,
  rawRequests,
];
