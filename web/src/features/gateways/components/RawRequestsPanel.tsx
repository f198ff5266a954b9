import { Button, MultiSelect, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { RawRequest } from "@/api/types";
import { ErrorPanel, Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatTime } from "@/ui/format";
import { useAskForRaw, useCancelRequest } from "../api/gateways";
import { requestWord } from "../words";
import classes from "./Gateways.module.css";

interface RawRequestsPanelProps {
  gateway: string;
  signals: readonly string[];
  requests: readonly RawRequest[];
  mayAsk: boolean;
}

/** Raw readings out of the gateway's ring: the form, and what was asked for. */
export function RawRequestsPanel({ gateway, signals, requests, mayAsk }: RawRequestsPanelProps) {
  return (
    <Panel title="Raw readings" flush>
      {mayAsk ? <AskForm gateway={gateway} signals={signals} /> : null}
      {requests.length ? (
        <Requests gateway={gateway} requests={requests} mayAsk={mayAsk} />
      ) : (
        <p className={`${classes.requests} muted`}>Nothing was asked for in the last 90 days.</p>
      )}
    </Panel>
  );
}

function Requests({ gateway, requests, mayAsk }: Omit<RawRequestsPanelProps, "signals">) {
  const cancel = useCancelRequest(gateway);
  return (
    <>
      {cancel.error ? <ErrorPanel error={cancel.error} /> : null}
      <ul className={classes.requests} aria-label="Asked for">
        {requests.map((one) => (
          <li key={one.id} className={classes.request}>
            <span>
              <span className={classes.state}>
                <StateMark name={one.state === "done" ? "normal" : "baselining"} compact word="" />
                <strong>{requestWord(one.state)}</strong>
              </span>{" "}
              <span className="num">
                {formatTime(one.start)} to {formatTime(one.end)}
              </span>{" "}
              {one.signals.length === 1 ? one.signals[0] : `${one.signals.length} signals`}
              <span className="muted">, asked by {one.asked_by}</span>
            </span>
            {mayAsk && one.state !== "done" ? (
              <Button
                variant="default"
                size="compact-sm"
                loading={cancel.isPending && cancel.variables === one.id}
                onClick={() => cancel.mutate(one.id)}
                aria-label={`Cancel what was asked for from ${formatTime(one.start)} to ${formatTime(one.end)}`}
              >
                Cancel
              </Button>
            ) : null}
          </li>
        ))}
      </ul>
    </>
  );
}

function AskForm({ gateway, signals }: { gateway: string; signals: readonly string[] }) {
  const ask = useAskForRaw(gateway);
  const [chosen, setChosen] = useState<string[]>([]);
  const [start, setStart] = useState("");
  const [end, setEnd] = useState("");
  const ready = chosen.length > 0 && start !== "" && end !== "" && start < end;
  function submit(e: FormEvent): void {
    e.preventDefault();
    if (ready) ask.mutate({ signals: chosen, start: new Date(start).toISOString(), end: new Date(end).toISOString() });
  }
  return (
    <>
      {ask.error ? <ErrorPanel error={ask.error} /> : null}
      <form className={classes.form} onSubmit={submit}>
        <MultiSelect
          label="Signals"
          placeholder={chosen.length ? "" : "Choose signals"}
          searchable
          limit={50}
          data={[...signals]}
          value={chosen}
          onChange={setChosen}
        />
        <TextInput type="datetime-local" step={1} label="From" value={start} onChange={(e) => setStart(e.currentTarget.value)} />
        <TextInput type="datetime-local" step={1} label="To" value={end} onChange={(e) => setEnd(e.currentTarget.value)} />
        <Button type="submit" disabled={!ready} loading={ask.isPending}>
          Ask the gateway
        </Button>
      </form>
    </>
  );
}
