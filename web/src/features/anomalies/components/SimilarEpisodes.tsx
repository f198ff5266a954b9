import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Anomaly, Similar } from "@/api/types";
import { formatTime, prose } from "@/ui/format";
import { similarQuery } from "../api/anomalies";
import { around, lasted, named, whatPeopleSaid } from "../words";
import classes from "./EvidencePanel.module.css";

/** Past findings in which the same signals departed to the same side, and what people said of them. */
export function SimilarEpisodes({ anomaly }: { anomaly: Anomaly }) {
  const { data, error } = useQuery(similarQuery(anomaly.id));
  return (
    <div className={classes.before}>
      <h3 className={classes.title}>Looked like this before</h3>
      {error ? <p className={classes.facts} role="alert">Not known: {error.message}</p> : null}
      {data?.length === 0 ? <p className={`${classes.facts} muted`}>Nothing did, here or on another machine of its kind.</p> : null}
      {data?.length ? (
        <ul className={classes.similar}>
          {data.map((episode) => (
            <Episode key={episode.id} episode={episode} of={anomaly} />
          ))}
        </ul>
      ) : null}
    </div>
  );
}

function Episode({ episode: e, of }: { episode: Similar; of: Anomaly }) {
  const here = e.asset_id === of.asset_id;
  return (
    <li>
      <Link to="/assets/$id" params={{ id: e.asset_id }} search={{ tab: "trend", signals: e.sensor_id, ...around(e) }}>
        {here ? "" : `${e.asset_name}, `}
        {formatTime(e.detected_at)}
      </Link>{" "}
      <span className="muted">
        {e.ended_at ? `for ${lasted(e)}` : "still there"}, {Math.round(e.similarity * 100)} % alike
      </span>
      <div>{prose(named(e.reason, of))}</div>
      <div className="muted">{whatPeopleSaid(e)}</div>
    </li>
  );
}
