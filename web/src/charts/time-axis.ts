const part = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => new Intl.DateTimeFormat("en-GB", options);
const SECONDS = part({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MINUTES = part({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAYS = part({ day: "numeric", month: "short" });
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Labels of time ticks `incrementMs` apart, in the reader's zone; midnight shows the date. */
export function tickLabels(splits: readonly number[], incrementMs: number): string[] {
  return splits.map((ms) => {
    if (incrementMs >= DAY_MS) return DAYS.format(ms);
    if (incrementMs < MINUTE_MS) return SECONDS.format(ms);
    const label = MINUTES.format(ms);
    return label === "00:00" ? DAYS.format(ms) : label;
  });
}

/** A short label for a value on the y axis, precise enough for ticks `increment` apart. */
export function valueLabel(value: number, increment: number): string {
  const decimals = Math.max(0, Math.min(6, -Math.floor(Math.log10(Math.abs(increment) || 1) + 1e-9)));
  if (Math.abs(value) >= 100_000) return `${+(value / 1000).toFixed(1)}k`;
  return value.toFixed(decimals);
}
