import { Button, Group, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Anomaly, Evidence, Verdict } from "@/api/types";
import { formatTime } from "@/ui/format";
import { thresholdsQuery, useFeedback } from "../api/anomalies";
import { thresholdAnswer } from "../words";
import classes from "./FeedbackBar.module.css";

const VERDICTS: { verdict: Verdict; label: string }[] = [
  { verdict: "confirmed", label: "Confirmed" },
  { verdict: "partly", label: "Partly" },
  { verdict: "wrong", label: "Wrong" },
];

/** Whether the finding was right, with a note: a label that its machine's threshold follows. */
export function FeedbackBar({ anomaly }: { anomaly: Anomaly }) {
  const give = useFeedback();
  const [note, setNote] = useState("");
  const { id, feedback } = anomaly;
  if (feedback) {
    return (
      <Group gap="sm" className={classes.bar}>
        <span className={classes.said}>
          <strong>{VERDICTS.find((v) => v.verdict === feedback.verdict)?.label}</strong>
          {feedback.note ? `: ${feedback.note}` : ""}{" "}
          <span className="muted">
            {feedback.by}, {formatTime(feedback.at)}
          </span>
        </span>
        <Button variant="default" loading={give.isPending} onClick={() => give.mutate({ id, verdict: null, note: "" })}>
          Take it back
        </Button>
        <Refused error={give.error} />
        {anomaly.evidence ? <ThresholdAnswer anomaly={anomaly} evidence={anomaly.evidence} at={feedback.at} /> : null}
      </Group>
    );
  }
  return (
    <div className={classes.bar}>
      <Textarea
        label="Was it right?"
        placeholder="What you found, if you like"
        autosize
        minRows={1}
        maxLength={2000}
        value={note}
        onChange={(e) => setNote(e.currentTarget.value)}
        className={classes.note}
      />
      <Group gap="xs">
        {VERDICTS.map(({ verdict, label }) => (
          <Button
            key={verdict}
            variant="default"
            disabled={give.isPending}
            loading={give.isPending && give.variables.verdict === verdict}
            onClick={() => give.mutate({ id, verdict, note: note.trim() })}
          >
            {label}
          </Button>
        ))}
      </Group>
      <Refused error={give.error} />
    </div>
  );
}

interface AnswerProps {
  anomaly: Anomaly;
  evidence: Evidence;
  at: string;
}

/** What the word did: the threshold of the way in which the machine was run. */
function ThresholdAnswer({ anomaly, evidence, at }: AnswerProps) {
  const { data } = useQuery(thresholdsQuery(anomaly.asset_id, at));
  const now = data?.find(({ regime }) => regime === evidence.regime);
  if (!now) return null;
  return (
    <p className={classes.answer} role="status">
      {thresholdAnswer(now, evidence)}{" "}
      <Link to="/models/$id" params={{ id: anomaly.asset_id }}>
        Open its model
      </Link>
    </p>
  );
}

function Refused({ error }: { error: Error | null }) {
  return error ? <span role="alert">It was not recorded: {error.message}</span> : null;
}
