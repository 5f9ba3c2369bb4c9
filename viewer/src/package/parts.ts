import { PackageFault, type SealedPart } from '../domain/package/container.ts';

/**
 * Loads a part of the package by a script: a page that is opened from a file may not read others in another way.
 * @throws PackageFault
 */
export function loadPart(number: number): Promise<SealedPart> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `data/part-${String(number).padStart(5, '0')}.js`;
    let found: SealedPart | undefined;
    Object.assign(window, {
      part: (named: number, iv: string, data: string) => {
        if (named === number) found = { iv, data };
      },
    });
    script.onerror = () => {
      script.remove();
      reject(new PackageFault('absent'));
    };
    script.onload = () => {
      script.remove();
      if (found) resolve(found);
      else reject(new PackageFault('damaged'));
    };
    document.head.append(script);
  });
}
