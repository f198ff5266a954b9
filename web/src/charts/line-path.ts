import type uPlot from "uplot";

/**
 * uPlot path builder over typed arrays: NaN breaks the line, so does a silence longer than `gapMs()`; more than
 * two points in a pixel column are drawn as that column's first, lowest, highest and last, so no spike is lost.
 */
export function linePath(gapMs: () => number): uPlot.Series.PathBuilder {
  return (u, seriesIdx, first, last) => {
    const xs = u.data[0] as unknown as Float64Array;
    const ys = u.data[seriesIdx] as unknown as Float64Array;
    const stroke = new Path2D();
    const { min: x0 = 0, max: x1 = 1 } = u.scales.x as { min?: number; max?: number };
    const { min: y0 = 0, max: y1 = 1 } = u.scales.y as { min?: number; max?: number };
    const { left, top, width, height } = u.bbox;
    const kx = width / (x1 - x0);
    const ky = height / (y1 - y0);
    const silence = gapMs();
    const dense = last - first > width * 2;
    let column = -1;
    let low = 0;
    let high = 0;
    let lastY = 0;
    let previous = NaN;
    let pen = false;
    let run = 0;

    const flush = (): void => {
      if (column < 0) return;
      if (low !== high) {
        stroke.lineTo(column, low);
        stroke.lineTo(column, high);
        stroke.lineTo(column, lastY);
      }
      column = -1;
    };
    const lift = (): void => {
      flush();
      if (pen && run === 1) dot(stroke, previousX, lastY);
      pen = false;
      run = 0;
    };
    let previousX = 0;

    for (let i = first; i <= last; i++) {
      const value = ys[i] as number;
      const time = xs[i] as number;
      if (value !== value) {
        lift();
        continue;
      }
      if (pen && time - previous > silence) lift();
      previous = time;
      const y = top + (y1 - value) * ky;
      let x = left + (time - x0) * kx;
      if (dense) {
        x = Math.round(x);
        if (pen && x === column) {
          if (y < low) low = y;
          if (y > high) high = y;
          lastY = y;
          run++;
          continue;
        }
        flush();
        column = x;
        low = high = y;
      }
      if (pen) stroke.lineTo(x, y);
      else stroke.moveTo(x, y);
      pen = true;
      run++;
      previousX = x;
      lastY = y;
    }
    lift();
    return { stroke, fill: null, clip: null, band: null, gaps: null, flags: 0 } as unknown as uPlot.Series.Paths;
  };
}

/** A lone point between gaps would have no length and so not be seen. */
function dot(path: Path2D, x: number, y: number): void {
  path.moveTo(x - 1, y);
  path.lineTo(x + 1, y);
}
