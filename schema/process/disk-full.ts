const CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Returns true for an error of a disk without room, an exhausted quota or a file of the largest size: of Node, which has codes, or
 * of DuckDB and SQLite, which have sentences only.
 */
export function isDiskFull(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return CODES.has(String(code)) || /no space left|disk quota|file too large/i.test(String(message));
}
