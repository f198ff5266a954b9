import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { AssetModel } from "@/api/types";
import { formatTime, formatValue, sentence } from "@/ui/format";
import { stepLine } from "../threshold-steps";
import classes from "./ThresholdSteps.module.css";

type Step = AssetModel["thresholds"][number]["steps"][number];

const SHOWN = 5;
const WIDTH = 400;
const HEIGHT = 48;

/** What each word of people did to the threshold: drawn over time, and newest first in words. */
export function ThresholdSteps({ steps, asset }: { steps: readonly Step[]; asset: string }) {
  const [all, setAll] = useState(false);
  if (steps.length === 0) return null;
  const newest = steps.toReversed();
  const line = stepLine(steps, WIDTH, HEIGHT);
  return (
    <div className={classes.steps}>
      {line ? (
        <svg
          viewBox={`0 0 ${String(WIDTH)} ${String(HEIGHT)}`}
          preserveAspectRatio="none"
          className={classes.plot}
          role="img"
          aria-label={`The threshold over time, from ${formatValue(steps[0]?.before)} to ${formatValue(newest[0]?.after)}`}
        >
          <path d={line} className={classes.line} />
        </svg>
      ) : null}
      <ol className={classes.list} reversed>
        {(all ? newest : newest.slice(0, SHOWN)).map((step) => (
          <li key={step.anomaly_id}>
            <span className="num muted">{formatTime(step.at)}</span>
            <span>
              <Link to="/assets/$id" params={{ id: asset }} search={{ tab: "anomalies", finding: step.anomaly_id }}>
                {sentence(step.verdict)}
              </Link>{" "}
              by {step.by}
            </span>
            <span className="num">{moved(step)}</span>
          </li>
        ))}
      </ol>
      {steps.length > SHOWN ? (
        <Button variant="default" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Fewer" : `All ${String(steps.length)} answers`}
        </Button>
      ) : null}
    </div>
  );
}

function moved({ before, after }: Step) {
  if (before === after) return `stayed at ${formatValue(after)}`;
  return (
    <>
      {formatValue(before)} <span aria-hidden="true">→</span>
      <span className="sr-only">to</span> <strong>{formatValue(after)}</strong>
    </>
  );
}
