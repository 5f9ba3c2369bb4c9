/** A file that the person has chosen to write into, by the browser's File System Access. */
export interface ChosenFile {
  createWritable(): Promise<FileSystemWritableFileStream>;
  getFile?(): Promise<{ size: number }>;
  remove?(): Promise<void>;
}
type PickFile = (options: { suggestedName: string }) => Promise<ChosenFile>;

/**
 * Asks for a file. Call it right after a click: browsers ask only then.
 * @returns undefined where the browser cannot
 * @throws DOMException `AbortError` if the person chooses none
 */
export async function chooseFile(suggestedName: string): Promise<ChosenFile | undefined> {
  const pick = (window as { showSaveFilePicker?: PickFile }).showSaveFilePicker;
  return pick && (await pick.call(window, { suggestedName }));
}

/** Removes a file that was made empty when it was chosen; one that was there before stays as it was. */
export async function removeEmpty(file: ChosenFile): Promise<void> {
  const left = await file.getFile?.().catch(() => undefined);
  if (left?.size === 0) await file.remove?.();
}
