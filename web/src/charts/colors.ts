/** What the canvas draws with, read once per colour scheme from the page's CSS variables. */
export interface ChartColors {
  line: string;
  text: string;
  muted: string;
  grid: string;
  surface: string;
  hatch: string;
  limit: string;
  limitCritical: string;
  band: string;
  bandCritical: string;
  /** Between what was and what was expected. */
  distance: string;
  /** While it was not as it should be. */
  episode: string;
  severity: { low: string; medium: string; high: string; critical: string };
}

export function readColors(): ChartColors {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim() || "#888";
  return {
    line: of("--chart-line"),
    text: of("--text"),
    muted: of("--text-muted"),
    grid: of("--chart-grid"),
    surface: of("--surface"),
    hatch: of("--chart-hatch"),
    limit: of("--chart-limit"),
    limitCritical: of("--chart-limit-critical"),
    band: of("--chart-band"),
    bandCritical: of("--chart-band-critical"),
    distance: of("--chart-distance"),
    episode: of("--chart-episode"),
    severity: {
      low: of("--advisory"),
      medium: of("--medium"),
      high: of("--high"),
      critical: of("--critical"),
    },
  };
}
