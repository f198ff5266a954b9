import { Button, Group, Textarea } from "@mantine/core";
import { useState } from "react";
import type { Anomaly, Verdict } from "@/api/types";
import { formatTime } from "@/ui/format";
import { useFeedback } from "../api/anomalies";
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
        <span>
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

function Refused({ error }: { error: Error | null }) {
  return error ? <span role="alert">It was not recorded: {error.message}</span> : null;
}
