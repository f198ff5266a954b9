import { useQuery } from "@tanstack/react-query";
import type { Contribution, Evidence } from "@/api/types";
import { formatDuration, formatTime, formatUnit, formatValue, sentence, signalName } from "@/ui/format";
import { configHashQuery } from "../api/anomalies";
import classes from "./EvidencePanel.module.css";

const MOST = 6;
const MEMBERS: Record<string, string> = {
  robust_z: "each signal alone",
  pca: "how signals move together",
  ridge_twin: "each signal from the others",
  window_mahalanobis: "the last half minute",
  isolation_forest: "isolation forest",
  lstm_autoencoder: "autoencoder",
};

/** Why a trained model speaks: which signals, measured against expected, and what it looked at. */
export function EvidencePanel({ evidence }: { evidence: Evidence }) {
  const seconds = (Date.parse(evidence.window_end) - Date.parse(evidence.window_start)) / 1000;
  return (
    <div className={classes.evidence}>
      <table className={classes.parts}>
        <caption className="sr-only">Signals by their part in the finding</caption>
        <thead>
          <tr>
            <th scope="col">Signal</th>
            <th scope="col">Part</th>
            <th scope="col" className={classes.number}>
              Measured
            </th>
            <th scope="col" className={classes.number}>
              Expected
            </th>
          </tr>
        </thead>
        <tbody>
          {evidence.contributions.slice(0, MOST).map((part) => (
            <Part key={part.sensor_id} part={part} />
          ))}
        </tbody>
      </table>
      {evidence.hypotheses.length ? (
        <div>
          <h3 className={classes.title}>What it would look like</h3>
          <ol className={classes.hypotheses}>
            {evidence.hypotheses.map((h) => (
              <li key={h.fault}>
                <strong>{sentence(h.fault)}</strong> <span className="muted">fits {Math.round(h.score * 100)} %</span>
                <div>{h.speaks_for}</div>
                {h.speaks_against ? <div className="muted">{h.speaks_against}</div> : null}
              </li>
            ))}
          </ol>
          <p className={`${classes.facts} muted`}>How well a fault fits what is seen, not how likely it is.</p>
        </div>
      ) : null}
      <p className={`${classes.facts} muted`}>
        {formatValue(evidence.ratio)} times the machine&apos;s own threshold of {formatValue(evidence.threshold)}. Looked
        at {formatDuration(seconds)} up to {formatTime(evidence.window_end)}
        {evidence.regimes > 1 ? `, running in way ${String(evidence.regime + 1)} of ${String(evidence.regimes)}` : ""}.{" "}
        {membersOf(evidence)}
        {evidence.model ? <ModelFacts model={evidence.model} /> : null}
      </p>
    </div>
  );
}

function ModelFacts({ model }: { model: string }) {
  const { data: config } = useQuery(configHashQuery(model));
  return (
    <>
      {" "}
      Model <span className="num">{model.slice(0, 12)}</span>
      {config ? (
        <>
          , made with settings <span className="num">{config.slice(0, 12)}</span>
        </>
      ) : null}
      .
    </>
  );
}

function Part({ part }: { part: Contribution }) {
  const percent = Math.round(part.share * 100);
  return (
    <tr>
      <th scope="row">{signalName(part.sensor_id.slice(part.sensor_id.lastIndexOf(".") + 1))}</th>
      <td>
        <span className={classes.track}>
          <span className={classes.bar} style={{ inlineSize: `${String(percent)}%` }} />
        </span>
        <span className="num">{percent} %</span>
      </td>
      <td className={`${classes.number} num`}>{withUnit(part.measured, part.unit)}</td>
      <td className={`${classes.number} num`}>{withUnit(part.expected, part.unit)}</td>
    </tr>
  );
}

function withUnit(value: number | null, unit: string): string {
  return value === null ? formatValue(value) : `${formatValue(value)} ${formatUnit(unit)}`.trim();
}

function membersOf({ members }: Evidence): string {
  if (!members.length) return "";
  const told = members.map(({ detector, ratio }) => `${MEMBERS[detector] ?? sentence(detector)} ${formatValue(ratio)}`);
  return `Against its healthy past: ${told.join(", ")}.`;
}
