import { useQuery } from "@tanstack/react-query";
import type { AssetModel, Scores } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { formatValue } from "@/ui/format";
import { scoresQuery } from "../api/models";
import { formatRate, movedWords } from "../words";
import classes from "./Models.module.css";
import { ScoresChart } from "./ScoresChart";
import { ThresholdSteps } from "./ThresholdSteps";

interface ThresholdPanelProps {
  thresholds: AssetModel["thresholds"];
  champion: string | undefined;
  asset: string;
}

/** Where the machine speaks now, how feedback moved that, and how far health is from it. */
export function ThresholdPanel({ thresholds, champion, asset }: ThresholdPanelProps) {
  const scores = useQuery({ ...scoresQuery(champion ?? ""), enabled: champion !== undefined && thresholds.length > 0 });
  if (thresholds.length === 0) return null;
  return (
    <Panel title="Threshold now" label="Threshold now">
      <dl className={classes.thresholds}>
        {thresholds.map((one) => (
          <Threshold
            key={one.regime}
            threshold={one}
            asset={asset}
            only={thresholds.length === 1}
            scores={scores.data?.find(({ regime }) => regime === one.regime)}
          />
        ))}
      </dl>
    </Panel>
  );
}

interface ThresholdProps {
  threshold: AssetModel["thresholds"][number];
  asset: string;
  only: boolean;
  scores: Scores | undefined;
}

function Threshold({ threshold: { regime, learned, now, labels, alarms_per_week, steps }, asset, only, scores }: ThresholdProps) {
  return (
    <div>
      <dt>{only ? "Above this score it speaks" : `In way ${regime + 1} of running it`}</dt>
      <dd>
        <span className={classes.figure}>{formatValue(now)}</span>
        <span className={classes.beside}>
          {movedWords(learned, now, labels)}
          {alarms_per_week === null ? "" : `; about ${formatRate(alarms_per_week)} a week`}
        </span>
        {scores ? <ScoresChart scores={scores} now={now} /> : null}
        <ThresholdSteps steps={steps} asset={asset} />
      </dd>
    </div>
  );
}
