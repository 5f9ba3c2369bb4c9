import type { BaseLogger } from 'pino';

/** Log of the index of a folder. */
export type FolderLog = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>;
