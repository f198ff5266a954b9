import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import type { Model } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { formatBytes, formatCount, formatTime, formatValue } from "@/ui/format";
import { cardSentences, costWords, formatRate, formatShare, shiftWords, shortId, stateSays } from "../words";
import classes from "./Models.module.css";
import { State } from "./ModelsTable";

interface ModelSideProps {
  title: string;
  model: Model;
  /** What a person may do with it; none where they may not. */
  verb?: string | undefined;
  onAct: (model: Model) => void;
}

/** One model's card: what it is worth, and what it was learned from. */
export function ModelSide({ title, model, verb, onAct }: ModelSideProps) {
  const { metrics, card } = model;
  const beside = card.baseline_of ? `${card.baseline_of}: ` : "";
  const actions = verb && !model.bytes_deleted_at ? (
    <Button variant="default" size="xs" onClick={() => onAct(model)}>
      {verb}
    </Button>
  ) : null;
  return (
    <Panel title={`${title} ${shortId(model.id)}`} actions={actions} label={title}>
      <p className={classes.stands}>
        <State state={model.state} /> since {formatTime(model.state_since)}. {model.reason ? `${model.reason}.` : stateSays(model.state)}
      </p>
      <dl className={classes.figures}>
        <Figure name="Healthy rows over its threshold" value={formatShare(metrics.over_threshold)}>
          {card.baseline.over_threshold === undefined ? null : beside + formatShare(card.baseline.over_threshold)}
        </Figure>
        <Figure name="Smallest shift found, median signal" value={shiftWords(metrics)}>
          {card.baseline_of ? beside + shiftWords(card.baseline) : null}
        </Figure>
        <Figure name="To be expected a week" value={metrics.alarms_per_week === undefined ? "–" : formatRate(metrics.alarms_per_week)} />
        <Figure name="Threshold as learned" value={formatValue(metrics.threshold)} />
        <Figure name="Trained in" value={costWords(model)}>
          {card.peak_bytes === null ? null : `${formatBytes(card.peak_bytes)} of memory`}
        </Figure>
        <Figure name="Held back for a test" value={formatCount(metrics.held_back_rows)}>
          rows
        </Figure>
      </dl>
      <ul className={classes.sentences}>
        {cardSentences(model).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </Panel>
  );
}

function Figure({ name, value, children }: { name: string; value: string; children?: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span className={classes.figure}>{value}</span>
        {children ? <span className={classes.beside}>{children}</span> : null}
      </dd>
    </div>
  );
}
