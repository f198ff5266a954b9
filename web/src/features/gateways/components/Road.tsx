import type { Gateway } from "@/api/types";
import { StateMark } from "@/ui/components/StateMark";
import { formatDuration, sentence } from "@/ui/format";
import { backlogWords, connectorMark, roleWords, stateMark, stateWord, waitsForDisk } from "../words";
import classes from "./Road.module.css";

const MOST = 8;

/** The road of a reading as a picture: devices, gateway, site; a way that is broken is dashed. */
export function Road({ gateway }: { gateway: Gateway }) {
  const shown = gateway.connectors.slice(0, MOST);
  const more = gateway.connectors.length - shown.length;
  const idle = waitsForDisk(gateway);
  const away = gateway.state === "away" || gateway.state === "waiting";
  return (
    <div className={classes.road} role="group" aria-label={`The way of the readings of ${gateway.name}`}>
      <ul className={classes.devices} aria-label="Devices">
        {shown.map(({ name, state, connector }) => (
          <li key={name} className={classes.device} data-mark={connectorMark(state)}>
            <span className={classes.node}>
              <StateMark name={connectorMark(state)} compact />
              <span className="clip">
                <strong>{name}</strong> <span className="muted">{connector}</span>
              </span>
              <span className="sr-only">{sentence(state)}</span>
            </span>
            <span className={classes.way} data-broken={state !== "connected" || undefined} aria-hidden="true" />
          </li>
        ))}
        {more > 0 ? <li className={`${classes.more} muted`}>and {more} more</li> : null}
        {shown.length === 0 ? <li className={`${classes.more} muted`}>{idle ? "no device is read" : "no device told yet"}</li> : null}
      </ul>
      <div className={classes.gateway}>
        <span className={classes.node} data-mark={away || idle ? "alarm" : "normal"}>
          <StateMark name={stateMark(gateway.state)} compact />
          <span>
            <strong>{gateway.name}</strong>
            <span className={classes.small}>{roleWords(gateway.role)}</span>
          </span>
        </span>
      </div>
      <div className={classes.uplink}>
        <span className={classes.way} data-broken={away || idle || undefined} aria-hidden="true" />
        <span className={classes.small}>{uplinkWords(gateway)}</span>
      </div>
      <div className={classes.site}>
        <span className={classes.node}>
          <StateMark name="normal" compact />
          <strong>This site</strong>
        </span>
      </div>
    </div>
  );
}

function uplinkWords({ state, live_lag_s, backlog_readings, catch_up_s, seconds_since_last }: Gateway): string {
  if (state === "away") return `nothing heard for ${formatDuration(seconds_since_last)}`;
  if (state === "waiting") return stateWord(state);
  if (state === "waiting_for_disk") return "heard, but nothing is sent";
  const behind = `${formatDuration(live_lag_s)} behind`;
  return backlog_readings ? `${behind}; backlog ${backlogWords(backlog_readings, catch_up_s)}` : behind;
}
