/**
 * Returns the files of a zip whose files are not compressed, by name (PKWARE APPNOTE §4.3).
 * @throws RangeError if it has no central directory
 */
export function filesOfZip(zip: Buffer): Map<string, Buffer> {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  const files = new Map<string, Buffer>();
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const size = zip.readUInt32LE(at + 24);
    const lengths = [28, 30, 32].map((field) => zip.readUInt16LE(at + field));
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const name = zip.toString('utf8', at + 46, at + 46 + lengths[0]!);
    files.set(name, zip.subarray(start, start + size));
    at += 46 + lengths.reduce((sum, length) => sum + length, 0);
  }
  return files;
}
