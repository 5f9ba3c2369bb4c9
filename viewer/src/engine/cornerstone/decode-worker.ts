/** Decodes frames apart from the page. Cornerstone's worker is no export of its package, so it is named by its file. */
import '../../../../node_modules/@cornerstonejs/dicom-image-loader/dist/esm/decodeImageFrameWorker.js';
