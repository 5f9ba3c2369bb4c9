/**
 * Returns the order in which to fetch the images of a series: first the current image, then its neighbours outwards,
 * three in the direction of scrolling for each one behind.
 * @param index the current image, from 0
 * @param count the number of images in the series
 * @param direction the direction of scrolling: 1 forwards, -1 backwards
 */
export function readAhead(index: number, count: number, direction: 1 | -1): number[] {
  const order = [index];
  let ahead = index + direction;
  let behind = index - direction;
  const within = (at: number): boolean => at >= 0 && at < count;
  while (within(ahead) || within(behind)) {
    for (let step = 0; step < 3 && within(ahead); step++, ahead += direction) order.push(ahead);
    if (within(behind)) {
      order.push(behind);
      behind -= direction;
    }
  }
  return order;
}
