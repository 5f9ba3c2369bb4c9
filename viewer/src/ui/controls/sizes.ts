/**
 * Calls when one of the elements has another size. It observes from the next frame on, and calls in the next one: what is
 * changed within a frame would be a loop of observers.
 * @returns a function that ends it
 */
export function onSizes(elements: readonly Element[], changed: () => void): () => void {
  const sizes = new ResizeObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(changed);
  });
  let frame = requestAnimationFrame(() => elements.forEach((one) => sizes.observe(one)));
  return () => {
    cancelAnimationFrame(frame);
    sizes.disconnect();
  };
}
