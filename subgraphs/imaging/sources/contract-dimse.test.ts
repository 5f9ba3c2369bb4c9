import { contractOf } from '../test/source-contract.ts';

contractOf('dicom-dimse by C-GET');
