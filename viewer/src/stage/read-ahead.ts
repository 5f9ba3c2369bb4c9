/**
 * In which order to fetch the images of a series, so that scrolling finds them there: the one in view, then outwards,
 * three ahead in the direction of travel for every one behind.
 * @param index image in view, from 0
 * @param count images of the series
 * @param direction last step: 1 forwards, -1 backwards
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
