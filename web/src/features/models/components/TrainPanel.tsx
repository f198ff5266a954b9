import { Button, NumberInput, Progress } from "@mantine/core";
import { useState } from "react";
import type { AssetModel, Job } from "@/api/types";
import { ErrorPanel, Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { sentence } from "@/ui/format";
import { inBounds } from "@/ui/in-bounds";
import { useCancelTraining, useTrain } from "../api/models";
import { itemMark, jobPercent, jobWords, nextTrainingWords } from "../words";
import classes from "./Models.module.css";

interface TrainPanelProps {
  /** One machine; all of them where it is not given. */
  asset?: string;
  job: Job | null;
  names: ReadonlyMap<string, string>;
  mayTrain: boolean;
  /** What the site means to do by itself. */
  next?: AssetModel["next_training"];
}

const DAYS = 14;
const MOST_DAYS = 366;
const SHOWN = 8;

/** Begin training, and see how far it is. */
export function TrainPanel({ asset, job, names, mayTrain, next }: TrainPanelProps) {
  const [days, setDays] = useState<number | string>(DAYS);
  const train = useTrain();
  const cancel = useCancelTraining();
  const running = job?.ended_at === null;
  const past = inBounds(days, 1, MOST_DAYS);
  if (!mayTrain && !job && !next) return null;
  return (
    <Panel title="Training">
      {train.error ? <ErrorPanel error={train.error} /> : null}
      {cancel.error ? <ErrorPanel error={cancel.error} /> : null}
      {mayTrain ? (
        <form
          className={classes.train}
          onSubmit={(event) => {
            event.preventDefault();
            if (past !== null) train.mutate({ assets: asset ? [asset] : [], days: past });
          }}
        >
          <p>
            Learns {asset ? "this machine" : "every machine"} anew from its healthy past: what was found and not marked wrong is left
            out. A machine&apos;s first model acts at once; a later one is tried beside it first.
          </p>
          <NumberInput
            label="Days of past"
            min={1}
            max={MOST_DAYS}
            w={120}
            value={days}
            onChange={setDays}
            error={past === null ? `From 1 to ${String(MOST_DAYS)}` : null}
            inputWrapperOrder={["label", "error", "input"]}
          />
          <Button type="submit" loading={train.isPending} disabled={running || past === null}>
            {asset ? "Train" : "Train all"}
          </Button>
        </form>
      ) : null}
      {next ? <p className={classes.nextTraining}>{nextTrainingWords(next)}</p> : null}
      {job ? (
        <div role="status" className={classes.spaced}>
          <div className={classes.row}>
            <span>{jobWords(job)}</span>
            {running && mayTrain ? (
              <Button variant="default" size="xs" loading={cancel.isPending} onClick={() => cancel.mutate(job.id)}>
                Cancel
              </Button>
            ) : null}
          </div>
          {running ? <Progress value={jobPercent(job)} aria-label="Training" mt={6} /> : null}
          <Outcomes job={job} asset={asset} names={names} />
        </div>
      ) : null}
    </Panel>
  );
}

/** What came of each machine; of many, only what did not go well. */
function Outcomes({ job, asset, names }: { job: Job; asset: string | undefined; names: ReadonlyMap<string, string> }) {
  const told = job.items.filter(({ state, asset_id }) => (asset ? asset_id === asset : true) && state !== "waiting");
  const worst = told.filter(({ state }) => state !== "done");
  const shown = (told.length <= SHOWN ? told : worst).slice(0, SHOWN);
  return (
    <ul className={classes.items}>
      {shown.map((item) => (
        <li key={item.asset_id}>
          <StateMark name={itemMark(item.state)} compact word={sentence(item.state)} />
          <span>
            <strong>{names.get(item.asset_id) ?? item.asset_id}</strong>: {item.text || "done"}
          </span>
        </li>
      ))}
    </ul>
  );
}
