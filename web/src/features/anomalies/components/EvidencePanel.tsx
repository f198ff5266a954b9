import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Contribution, Evidence } from "@/api/types";
import { formatDuration, formatTime, formatUnit, formatValue, sentence } from "@/ui/format";
import { configHashQuery } from "../api/anomalies";
import { nameOf } from "../course";
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

interface EvidenceProps {
  evidence: Evidence;
  /** The server's words with the names of signals as people write them. */
  say: (text: string) => string;
}

/** Which signals, measured against expected at the worst moment, and which faults would look like that. */
export function EvidencePanel({ evidence, say }: EvidenceProps) {
  return (
    <div className={classes.evidence}>
      <table className={classes.parts}>
        <caption className={classes.title}>At its worst, {formatTime(evidence.window_end)}</caption>
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
          <h3 className={classes.title}>Faults that would look like this</h3>
          <ol className={classes.hypotheses}>
            {evidence.hypotheses.map((h) => (
              <li key={h.fault}>
                <strong>{sentence(h.fault)}</strong> <Bar percent={Math.round(h.score * 100)} words={`fits ${Math.round(h.score * 100)} %`} />
                {h.speaks_for ? <div>For it: {say(h.speaks_for)}</div> : null}
                {h.speaks_against ? <div className="muted">Against it: {say(foreign(h.speaks_against))}</div> : null}
              </li>
            ))}
          </ol>
          <p className={`${classes.facts} muted`}>How well a fault fits what is seen, not how likely it is.</p>
        </div>
      ) : null}
    </div>
  );
}

/** How the model came to it: for who wants to check. */
export function ModelFacts({ evidence, assetId }: { evidence: Evidence; assetId: string }) {
  const { data: config } = useQuery({ ...configHashQuery(evidence.model), enabled: evidence.model !== "" });
  const seconds = (Date.parse(evidence.window_end) - Date.parse(evidence.window_start)) / 1000;
  return (
    <div className={classes.facts}>
      <h3 className={classes.title}>How the model came to it</h3>
      <dl className={classes.list}>
        <Fact name="Over its threshold">
          {formatValue(evidence.ratio)} times the machine&apos;s own threshold of {formatValue(evidence.threshold)}
        </Fact>
        <Fact name="Looked at">
          {formatDuration(seconds)} up to {formatTime(evidence.window_end)}
        </Fact>
        <Fact name="Way of running">
          {evidence.regimes > 1 ? `${String(evidence.regime + 1)} of the ${String(evidence.regimes)} it knows` : "the one it knows"}
        </Fact>
        {evidence.members.length ? (
          <Fact name="By method">
            {evidence.members.map(({ detector, ratio }) => `${MEMBERS[detector] ?? sentence(detector)} ${formatValue(ratio)}`).join(", ")}{" "}
            (times what is usual in health)
          </Fact>
        ) : null}
        {evidence.model ? (
          <Fact name="Model">
            <Link to="/models/$id" params={{ id: assetId }} className="num">
              {evidence.model.slice(0, 12)}
            </Link>
            {config ? (
              <>
                , made with settings <span className="num">{config.slice(0, 12)}</span>
              </>
            ) : null}
          </Fact>
        ) : null}
      </dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Bar({ percent, words }: { percent: number; words: string }) {
  return (
    <>
      <span className={classes.track}>
        <span className={classes.bar} style={{ inlineSize: `${String(percent)}%` }} />
      </span>
      <span className="num">{words}</span>
    </>
  );
}

function Part({ part }: { part: Contribution }) {
  const percent = Math.round(part.share * 100);
  return (
    <tr>
      <th scope="row">{nameOf(part.sensor_id)}</th>
      <td>
        <Bar percent={percent} words={`${String(percent)} %`} />
      </td>
      <td className={`${classes.number} num`}>{withUnit(part.measured, part.unit)}</td>
      <td className={`${classes.number} num`}>{withUnit(part.expected, part.unit)}</td>
    </tr>
  );
}

function withUnit(value: number | null, unit: string): string {
  return value === null ? formatValue(value) : `${formatValue(value)} ${formatUnit(unit)}`.trim();
}

/** Signs that the fault does not bring about, in fewer words. */
function foreign(against: string): string {
  return against.replaceAll(", which is not part of it", " (not of this fault)");
}
