import { contractOf } from '../test/source-contract.ts';

contractOf('several', 'dicom-dimse by C-MOVE');
