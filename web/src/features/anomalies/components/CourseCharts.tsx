import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { Anomaly, Course } from "@/api/types";
import { PairChart } from "@/charts/pair-chart";
import { Rows } from "@/ui/components/Panel";
import { formatQuantity, formatTime, formatUnit, formatValue, prose } from "@/ui/format";
import { courseQuery } from "../api/anomalies";
import { courseWords, gapOf, nameOf, saidOf } from "../course";
import classes from "./CourseCharts.module.css";

const HEIGHT = 118;

/** A model's finding as pictures: how far over its threshold the machine was, and what it measured against what was expected. */
export function CourseCharts({ anomaly }: { anomaly: Anomaly }) {
  const { data, error } = useQuery(courseQuery(anomaly));
  if (error) return <p className={classes.none}>No picture of it: {prose(saidOf(error))}</p>;
  if (!data) return <Rows count={1} height={HEIGHT + 24} />;
  if (data.time_ms.length === 0) return <p className={classes.none}>No picture of it: its readings are no longer stored.</p>;
  return (
    <div>
      <div className={classes.charts}>
        <Chart
          course={data}
          anomaly={anomaly}
          name="Times its own threshold"
          line={data.ratio}
          against={1}
          said={(row) => `${formatValue(data.ratio[row])} times`}
        />
        {data.signals.map(({ sensor_id, unit, measured, expected }) => (
          <Chart
            key={sensor_id}
            course={data}
            anomaly={anomaly}
            name={`${nameOf(sensor_id)}${unit ? `, ${formatUnit(unit)}` : ""}`}
            line={measured}
            against={expected}
            said={(row) => `${formatQuantity(measured[row], unit)}, expected ${formatQuantity(expected[row], unit)}`}
          />
        ))}
      </div>
      <p className={`${classes.legend} muted`} aria-hidden="true">
        <span className={classes.measured} /> measured <span className={classes.expected} /> expected by the model{" "}
        <span className={classes.limit} /> threshold <span className={classes.shade} /> the finding
      </p>
      {data.thinned && (
        <p className={`${classes.none} muted`}>
          A gateway leaves out what is normal of this machine. It is judged here only where all was sent; the gateway saw all of it.
        </p>
      )}
    </div>
  );
}

/** What is still there lasts as long as anything is known. */
function endOf(course: Course, { ended_at, last_at }: Anomaly): number {
  return ended_at ? Date.parse(ended_at) : Math.max(Date.parse(last_at), course.time_ms.at(-1) ?? 0);
}

interface ChartProps {
  course: Course;
  anomaly: Anomaly;
  name: string;
  line: readonly (number | null)[];
  against: readonly (number | null)[] | number;
  /** One row in words. */
  said: (row: number) => string;
}

function Chart({ course, anomaly, name, line, against, said }: ChartProps) {
  const root = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!root.current) return;
    const chart = new PairChart(root.current, {
      time: course.time_ms,
      line,
      against,
      shaded: [Date.parse(anomaly.detected_at), endOf(course, anomaly)],
      gapMs: gapOf(course),
      height: HEIGHT,
      key: `course-${anomaly.id}`,
      onCursor: (row) => {
        if (readout.current) readout.current.textContent = row === null ? "" : `${formatTime(course.time_ms[row])}  ${said(row)}`;
      },
    });
    const size = new ResizeObserver(([entry]) => entry && chart.resize(Math.floor(entry.contentRect.width)));
    const scheme = new MutationObserver(() => chart.readScheme());
    size.observe(root.current);
    scheme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
    return () => {
      size.disconnect();
      scheme.disconnect();
      chart.destroy();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the rest is derived from the course
  }, [course, anomaly.id, anomaly.last_at]);
  return (
    <figure className={classes.chart}>
      <figcaption className={classes.caption}>
        <span className={classes.name}>{name}</span>
        <span ref={readout} className={`${classes.readout} num`} aria-hidden="true" />
      </figcaption>
      <div ref={root} role="img" aria-label={courseWords(name, course, line, against)} className={classes.canvas} />
    </figure>
  );
}
