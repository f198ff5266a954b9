import { Button, Menu } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import type { Anomaly } from "@/api/types";
import { useMay } from "@/api/use-session";
import { Empty, Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { IconDown } from "@/ui/icons";
import { formatTime, sentence } from "@/ui/format";
import { useMarkAnomaly } from "../api/anomalies";
import { modelTrouble } from "../model-words";
import { around, headline, howItWasFound, lasted, named } from "../words";
import { CourseCharts } from "./CourseCharts";
import { EvidencePanel, ModelFacts } from "./EvidencePanel";
import { FeedbackBar } from "./FeedbackBar";
import { SimilarEpisodes } from "./SimilarEpisodes";
import classes from "./AnomalyList.module.css";

const VERDICTS: { status: Anomaly["status"]; label: string }[] = [
  { status: "investigating", label: "I am looking at it" },
  { status: "resolved", label: "Confirmed and resolved" },
  { status: "false_positive", label: "False alarm" },
  { status: "open", label: "Open again" },
];

interface AnomalyListProps {
  anomalies: readonly Anomaly[];
  assetId: string;
  title?: string;
  /** Id of the one that is asked for. */
  opened?: string | undefined;
}

/** What the detectors found on one machine, newest first, each one click from its place on the chart. */
export function AnomalyList({ anomalies, assetId, title = "Anomalies", opened }: AnomalyListProps) {
  return (
    <Panel title={title} flush>
      {anomalies.length === 0 ? (
        <Empty title="No anomaly recorded">The detectors have found nothing out of the ordinary here.</Empty>
      ) : (
        <ul className={classes.rows}>
          {anomalies.map((a) => (
            <AnomalyRow key={a.id} anomaly={a} assetId={assetId} asked={a.id === opened} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

interface AnomalyRowProps {
  anomaly: Anomaly;
  assetId: string;
  asked: boolean;
}

const scrollTo = (row: HTMLElement | null): void => row?.scrollIntoView({ block: "center" });

function AnomalyRow({ anomaly: a, assetId, asked }: AnomalyRowProps) {
  const mark = useMarkAnomaly();
  const mayJudge = useMay("anomalies.judge");
  const [opened, setOpened] = useState(asked);
  const detailId = useId();
  const { subject, rest } = headline(a);
  const trouble = modelTrouble(a.detector, a.anomaly_type);
  const hasDetail = mayJudge || a.evidence !== null || a.feedback !== null;
  return (
    <li className={classes.row} ref={asked ? scrollTo : undefined}>
      <StateMark name={a.severity} />
      <div className={classes.what}>
        <div>
          <strong>{subject}</strong> {rest}
        </div>
        {trouble ? (
          <div>
            {trouble.remedy}{" "}
            <Link to="/models/$id" params={{ id: assetId }}>
              Open its model
            </Link>
          </div>
        ) : null}
        <div className="muted">
          {howItWasFound(a)}
          {a.note ? `; note: ${a.note}` : ""}
        </div>
        {mark.error ? <div role="alert">It was not recorded: {mark.error.message}</div> : null}
        {hasDetail ? (
          <button
            type="button"
            className={classes.why}
            aria-expanded={opened}
            aria-controls={detailId}
            onClick={() => setOpened(!opened)}
          >
            {whyWords(a, opened)}
          </button>
        ) : null}
      </div>
      <div className={`${classes.time} num`}>
        <Link to="/assets/$id" params={{ id: assetId }} search={{ tab: "trend", signals: a.sensor_id, ...around(a) }}>
          {formatTime(a.detected_at)}
        </Link>
        <div className="muted">{a.ended_at ? `for ${lasted(a)}` : "still there"}</div>
      </div>
      {mayJudge ? (
        <Verdict anomaly={a} busy={mark.isPending && mark.variables.id === a.id} onVerdict={mark.mutate} />
      ) : (
        <span className={classes.status}>{sentence(a.status)}</span>
      )}
      {opened ? (
        <div id={detailId} className={classes.detail}>
          {a.evidence ? <CourseCharts anomaly={a} /> : null}
          {a.evidence ? <EvidencePanel evidence={a.evidence} say={(text) => named(text, a)} /> : null}
          {mayJudge ? <FeedbackBar anomaly={a} /> : null}
          {a.evidence ? <SimilarEpisodes anomaly={a} /> : null}
          {a.evidence ? <ModelFacts evidence={a.evidence} assetId={assetId} /> : null}
        </div>
      ) : null}
    </li>
  );
}

function whyWords(a: Anomaly, opened: boolean): string {
  if (opened) return "Less";
  return a.evidence ? "Why, and was it right?" : "Was it right?";
}

interface VerdictProps {
  anomaly: Anomaly;
  busy: boolean;
  onVerdict: (verdict: Pick<Anomaly, "id" | "status" | "note">) => void;
}

/** What it turned out to be, in one choice. */
function Verdict({ anomaly: { id, status: now, note }, busy, onVerdict }: VerdictProps) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" className={classes.status} rightSection={<IconDown size={13} />} loading={busy}>
          {sentence(now)}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {VERDICTS.filter((v) => v.status !== now).map(({ status, label }) => (
          <Menu.Item key={status} onClick={() => onVerdict({ id, status, note })}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
