import { vi } from 'vitest';

/**
 * Waits until the images of the demonstration are indexed: a record is complete without them, and says so.
 * @param gateway its address
 */
export async function imagesAreThere(gateway: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const { status } = await fetch(`${gateway}/open/dicomweb/studies?limit=1`);
      if (status !== 200) throw new Error(`The images are not there: ${status}.`);
    },
    { timeout: 120_000, interval: 1000 },
  );
}
