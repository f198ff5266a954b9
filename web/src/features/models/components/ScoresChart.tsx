import type { Scores } from "@/api/types";
import { formatCount, formatValue } from "@/ui/format";
import { overWords, scoreBars } from "../scores";
import classes from "./Scores.module.css";

interface ScoresChartProps {
  scores: Scores;
  /** Where it speaks now. */
  now: number;
}

const WIDTH = 400;
const HEIGHT = 84;

/** How often the machine scored how high in health, and where its threshold stands: how much room there is between. */
export function ScoresChart({ scores, now }: ScoresChartProps) {
  const { bars, top } = scoreBars(scores, now, WIDTH, HEIGHT);
  const at = (ratio: number): number => (ratio / top) * WIDTH;
  const moved = now !== scores.threshold;
  return (
    <figure className={classes.figure}>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className={classes.plot}
        role="img"
        aria-label={`Scores of ${formatCount(scores.rows)} healthy rows; the threshold is ${formatValue(now)}. ${overWords(scores, now)}`}
      >
        {bars.map(({ x, width, height, over }) => (
          <rect key={x} x={x} y={HEIGHT - height} width={width} height={height} className={over ? classes.over : classes.bar} />
        ))}
        {moved ? <line x1={at(scores.threshold)} x2={at(scores.threshold)} y1={0} y2={HEIGHT} className={classes.learned} /> : null}
        <line x1={at(now)} x2={at(now)} y1={0} y2={HEIGHT} className={classes.now} />
      </svg>
      <div className={`${classes.axis} num`} aria-hidden="true">
        <span>0</span>
        <span className={classes.mark} style={{ insetInlineStart: `${(100 * now) / top}%` }}>
          {formatValue(now)}
        </span>
      </div>
      <figcaption className="muted">
        Scores of {formatCount(scores.rows)} healthy rows that it had not learned from. {overWords(scores, now)}
      </figcaption>
    </figure>
  );
}
