import { contractOf } from '../test/source-contract.ts';

contractOf('dicom-web', 'folder');
