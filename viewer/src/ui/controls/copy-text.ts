/** Copies a text. @returns false if the browser does not allow it */
export async function copyText(text: string): Promise<boolean> {
  try {
    // A page without TLS has no clipboard.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
