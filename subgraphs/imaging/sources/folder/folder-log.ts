import type { BaseLogger } from 'pino';

/** Where a folder tells the operator of its index. */
export type FolderLog = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>;
