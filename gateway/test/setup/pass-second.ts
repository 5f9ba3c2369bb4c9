import { vi } from 'vitest';

/** Lets more than a second pass: a clock that is set stands still, and a new certificate is valid from the real time. */
export function passSecond(): void {
  vi.setSystemTime(Math.max(Date.now(), vi.getRealSystemTime()) + 1_100);
}
