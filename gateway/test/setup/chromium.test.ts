import { expect, it } from 'vitest';
import { startChromium } from './chromium.ts';

it('the Chromium that tests start draws WebGL 2', async () => {
  const browser = await startChromium();
  try {
    const page = await browser.newPage();
    const version = await page.evaluate(
      "document.createElement('canvas').getContext('webgl2')?.getParameter(WebGL2RenderingContext.VERSION)",
    );
    expect(version).toMatch(/^WebGL 2/);
  } finally {
    await browser.close();
  }
});
