import classes from "./MarkedBar.module.css";

interface MarkedBarProps {
  bars: { value: number | null; tone: "new" | "beyond" | "quiet" }[];
  /** Where the bound or the usual mark stands. */
  mark: number | null;
  /** Right end of the scale. */
  top: number;
}

/** Bars on one scale with a line through them; the figures stand beside it in words. */
export function MarkedBar({ bars, mark, top }: MarkedBarProps) {
  const at = (value: number): string => `${Math.min(100, Math.max(0, (100 * value) / top)).toFixed(1)}%`;
  return (
    <div className={classes.box} aria-hidden="true">
      {bars.map(({ value, tone }) => (
        <div key={tone} className={classes.track}>
          {value === null ? null : <span className={classes.bar} data-tone={tone} style={{ inlineSize: at(value) }} />}
        </div>
      ))}
      {mark === null ? null : <span className={classes.mark} style={{ insetInlineStart: at(mark) }} />}
    </div>
  );
}
