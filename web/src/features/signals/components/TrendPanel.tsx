import { useEffect, useMemo } from "react";
import type { SignalInfo } from "@/api/types";
import type { Mark } from "@/charts/overlays";
import { Empty, ErrorPanel, Panel, Rows } from "@/ui/components/Panel";
import { zoneName } from "@/ui/format";
import { timeChoice, type TimeSearch } from "@/ui/time-range";
import { useTrend } from "../use-trend";
import { RangeBar } from "./RangeBar";
import { SeriesTable } from "./SeriesTable";
import { SignalChart } from "./SignalChart";
import { SignalPicker } from "./SignalPicker";
import classes from "./TrendPanel.module.css";

export interface TrendSearch extends TimeSearch {
  signals?: string;
  view?: "table";
}

interface TrendPanelProps {
  signals: readonly SignalInfo[];
  marksOf: (signalId: string) => readonly Mark[];
  search: TrendSearch;
  onSearch: (change: TrendSearch) => void;
}

/** Every signal of a machine over one time axis. */
export function TrendPanel({ signals, marksOf, search, onSearch }: TrendPanelProps) {
  const choice = timeChoice(search);
  const picked = useMemo(() => search.signals?.split(",") ?? null, [search.signals]);
  const shown = picked ? signals.filter((s) => picked.includes(s.id)) : signals;
  const trend = useTrend(
    shown.map((s) => s.id),
    choice,
  );
  const { feed, group } = trend;

  useEffect(() => {
    group.listen(
      ({ from, to }) => onSearch({ from: Math.round(from), to: Math.round(to) }),
      () => onSearch({ from: undefined, to: undefined }),
    );
  }, [group, onSearch]);

  const table = search.view === "table";
  return (
    <Panel
      label="Trend"
      flush
      title={<SignalPicker signals={signals} picked={picked} onPick={(ids) => onSearch({ signals: ids?.join(",") })} />}
      actions={
        <RangeBar
          choice={choice}
          range={search.range}
          table={table}
          loading={feed.status === "loading"}
          signals={feed.signals}
          window={feed.window()}
          onSearch={onSearch}
        />
      }
    >
      {feed.status === "error" && feed.error ? (
        <ErrorPanel error={feed.error} onRetry={() => void feed.load(choice)} />
      ) : null}
      {shown.length === 0 ? (
        <Empty title="No signal is chosen">Choose signals above to see their course.</Empty>
      ) : table ? (
        feed.status === "loading" ? (
          <Rows count={8} height={24} />
        ) : (
          <SeriesTable signals={shown} traces={feed.traces} windowOf={() => feed.window()} />
        )
      ) : (
        <>
          <Legend />
          {shown.map((signal) => (
            <SignalChart key={signal.id} signal={signal} trend={trend} marks={marksOf(signal.id)} />
          ))}
        </>
      )}
    </Panel>
  );
}

/** What the marks on the charts mean, and whose clock the axis shows. */
function Legend() {
  return (
    <p className={classes.legend}>
      <span className="num">Times in {zoneName()}</span>
      <span>
        <svg width={22} height={8} aria-hidden="true">
          <path d="M0 4h22" stroke="var(--chart-limit)" strokeDasharray="5 4" />
        </svg>
        limit: H high, L low; HH, LL critical; ▲▼ beyond the axis
      </span>
      <span>
        <svg width={10} height={8} aria-hidden="true">
          <path d="M0 0h10L5 8z" fill="var(--high)" />
        </svg>
        anomaly
      </span>
      <span>
        <svg width={18} height={10} aria-hidden="true">
          <path d="M-2 10 8 0M4 10 14 0M10 10 20 0" stroke="var(--border-strong)" />
        </svg>
        bad or missing data
      </span>
      <span className={classes.hint}>drag to zoom, double-click to go back</span>
    </p>
  );
}
