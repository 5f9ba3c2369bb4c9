import type { Measurement } from '../../domain/measure/measurement.ts';
import type { Page } from '../../ui/context.ts';

/** Shows the image of a measurement: where its series is open, else in the active place. */
export function showMeasurement(page: Page, { frame, place }: Measurement): void {
  const { workspace, route, record } = page;
  const [studyUid, seriesUid] = frame.split('/');
  const start = { stack: place.stack, image: place.image };
  if (workspace.study?.uid !== studyUid) {
    const address = {
      study: studyUid,
      series: seriesUid,
      ...start,
      window: undefined,
      screen: 'stage' as const,
    };
    if (record.record?.studies.some(({ uid }) => uid === studyUid)) route.go(address);
    return;
  }
  const open = workspace.cells.find(({ series }) => series?.uid === seriesUid);
  const stack = open?.stacks.find(({ key }) => key === place.stack);
  if (open && stack) {
    workspace.at = workspace.cells.indexOf(open);
    if (open.stack === stack) open.want(place.image - 1);
    else open.choose(stack, place.image - 1);
    return;
  }
  const series = workspace.series.find(({ uid }) => uid === seriesUid);
  if (series && workspace.study) void workspace.active.open(workspace.study, series, start);
}
