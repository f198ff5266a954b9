import { Progress } from "@mantine/core";
import type { Rollout } from "@/api/types";
import { useNow } from "@/ui/clock";
import { sentence } from "@/ui/format";
import { nextWords, type Place, standsWords, stepsOf } from "../rollouts";
import classes from "./Rollouts.module.css";

/** Where it is on its way, what that means, and when it goes on. */
export function RolloutSteps({ rollout }: { rollout: Rollout }) {
  const now = useNow(10_000);
  const { next } = rollout;
  return (
    <>
      <ol className={classes.steps} aria-label="Steps">
        {stepsOf(rollout).map(({ step, place }) => (
          <li key={step} className={classes.step} data-place={place} aria-current={place === "here" ? "step" : undefined}>
            <Dot place={place} />
            <span>
              {sentence(step)}
              {place === "done" ? <span className="sr-only">: done</span> : null}
            </span>
          </li>
        ))}
      </ol>
      <p className={classes.stands}>{standsWords(rollout)}</p>
      {next ? (
        <div className={classes.next}>
          <Progress value={next.progress * 100} aria-label={`To ${next.state}`} />
          <span>{nextWords(next, now)}</span>
        </div>
      ) : null}
    </>
  );
}

function Dot({ place }: { place: Place }) {
  return (
    <svg width={18} height={18} viewBox="0 0 18 18" aria-hidden="true">
      <circle cx={9} cy={9} r={7} fill={place === "ahead" ? "none" : "currentColor"} stroke="currentColor" strokeWidth={2} />
      {place === "done" ? <path d="m5.5 9.3 2.4 2.4 4.6-5" fill="none" stroke="var(--surface)" strokeWidth={2} /> : null}
      {place === "here" ? <circle cx={9} cy={9} r={3} fill="var(--surface)" /> : null}
    </svg>
  );
}
