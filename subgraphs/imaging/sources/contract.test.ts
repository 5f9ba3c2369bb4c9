import { contractOf } from '../test/source-contract.ts';

contractOf('dicom-web', 'folder', 'dicom-dimse by C-GET');
