import type { ReactNode } from "react";
import type { Gateway } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatBytes, formatCount, formatDuration, formatTime } from "@/ui/format";
import { backlogWords, clockWords, NOTHING_COLLECTED, roleWords, silentWords, stateMark, stateWord, waitsForDisk } from "../words";
import { BufferBar } from "./BufferBar";
import classes from "./Gateways.module.css";
import { Road } from "./Road";

/** How one gateway is: the picture, then the figures. */
export function GatewayFigures({ gateway }: { gateway: Gateway }) {
  const { uplink, buffer } = gateway;
  const idle = waitsForDisk(gateway);
  const title = (
    <span className={classes.state}>
      <StateMark name={stateMark(gateway.state)} compact /> {gateway.name}
    </span>
  );
  return (
    <Panel title={title} actions={<span className="muted num">Version {gateway.version || "not told"}</span>}>
      <Road gateway={gateway} />
      {idle ? (
        <p className={classes.state}>
          <StateMark name="alarm" compact />
          <strong>{NOTHING_COLLECTED}</strong>
        </p>
      ) : null}
      <dl className={classes.figures}>
        <Figure name="State" note={`since ${formatTime(gateway.state_since)}`}>
          {stateWord(gateway.state)}
        </Figure>
        <Figure name="Role" note={gateway.partner ? `partner ${gateway.partner}` : "no partner is configured"}>
          <span className={classes.words}>{roleWords(gateway.role)}</span>
        </Figure>
        {idle ? null : <Measured gateway={gateway} />}
        <Figure name="Signals" note={silentWords(gateway)}>
          {formatCount(gateway.signals)}
        </Figure>
        <Figure name="Memory" note={gateway.started_at ? `running since ${formatTime(gateway.started_at)}` : "not told yet"}>
          {formatBytes(gateway.resident_bytes)}
        </Figure>
        {buffer ? (
          <div className={classes.wide}>
            <dt>Buffer{buffer.raw_from ? `, raw readings from ${formatTime(buffer.raw_from)} on` : ""}</dt>
            <dd>
              <BufferBar buffer={buffer} />
            </dd>
          </div>
        ) : null}
      </dl>
      {uplink?.last_error ? <p className="muted">Last error: {uplink.last_error}</p> : null}
      {gateway.unknown_signals.length ? (
        <p className={classes.state}>
          <StateMark name="medium" compact />
          <span>
            This site&apos;s plant does not know {gateway.unknown_signals.slice(0, 5).join(", ")}
          {gateway.unknown_signals.length > 5 ? " and more" : ""}: apply the gateway&apos;s file here (forewarn apply).
          </span>
        </p>
      ) : null}
    </Panel>
  );
}

/** What only a gateway knows that collects. */
function Measured({ gateway }: { gateway: Gateway }) {
  const { uplink } = gateway;
  return (
    <>
        <Figure name="Live data" note={`last taken by the site at ${formatTime(uplink?.last_acknowledged_at)}`}>
          {formatDuration(gateway.live_lag_s)} behind
        </Figure>
        <Figure
          name="Backlog"
          note={uplink?.oldest_backlog_at ? `from ${formatTime(uplink.oldest_backlog_at)} on, ${formatBytes(uplink.backlog_bytes)}` : "nothing waits"}
        >
          <span className={classes.words}>{backlogWords(gateway.backlog_readings, gateway.catch_up_s)}</span>
        </Figure>
        <Figure
          name="Its clock"
          note={uplink?.round_trip_s == null ? "measured at each heartbeat" : `within ${Math.ceil(uplink.round_trip_s * 500)} ms`}
        >
          <span className={classes.words}>{clockWords(gateway.clock_offset_s, uplink?.round_trip_s ?? null)}</span>
        </Figure>
        <Figure name="Local alarms" note="active at the gateway">
          {formatCount(gateway.alarms)}
        </Figure>
    </>
  );
}

function Figure({ name, note, children }: { name: string; note: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="num">
        <span className={classes.figure}>{children}</span>
        <span className={classes.note}>{note}</span>
      </dd>
    </div>
  );
}
