import { SegmentedControl, TextInput } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import type { AssetSummary } from "@/api/types";
import { Empty } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatDuration, words } from "@/ui/format";
import { IconSearch } from "@/ui/icons";
import { useSparklines } from "../api/assets";
import { countConditions, filterAssets, groupByArea, isAbnormal } from "../order";
import classes from "./Worklist.module.css";
import { WorklistRow } from "./WorklistRow";

export interface WorklistSearch {
  q?: string;
  group?: "area";
}

interface WorklistProps {
  assets: readonly AssetSummary[];
  checkedAt: number;
  search: WorklistSearch;
}

/** Machines in the order in which they need somebody. */
export function Worklist({ assets, checkedAt, search }: WorklistProps) {
  const list = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const shown = filterAssets(assets, search.q ?? "");
  const headlines = assets.flatMap((a) => (a.headline ? [a.headline.signal_id] : []));
  const { data: sparks } = useSparklines(headlines);
  const set = (change: WorklistSearch): void => {
    void navigate({ to: "/", search: { ...search, ...change }, replace: true });
  };
  useHotkeys([
    ["j", () => step(list.current, 1)],
    ["k", () => step(list.current, -1)],
    ["/", () => list.current?.querySelector("input")?.focus()],
  ]);
  const rows = (group: readonly AssetSummary[]) =>
    group.map((asset) => (
      <WorklistRow key={asset.id} asset={asset} spark={sparks?.get(asset.headline?.signal_id ?? "")} />
    ));
  return (
    <div ref={list} className={classes.list}>
      <div className={classes.bar}>
        <TextInput
          aria-label="Filter machines"
          placeholder="Filter by name, area, state…"
          leftSection={<IconSearch size={14} />}
          value={search.q ?? ""}
          onChange={(e) => set({ q: e.currentTarget.value || undefined })}
          className={classes.filter}
        />
        <SegmentedControl
          aria-label="Order"
          value={search.group ?? "rank"}
          onChange={(value) => set({ group: value === "area" ? "area" : undefined })}
          data={[
            { value: "rank", label: "By urgency" },
            { value: "area", label: "By area" },
          ]}
        />
        <div className={classes.counts}>
          {countConditions(assets).map(([name, n]) => (
            <button
              key={name}
              type="button"
              className={classes.count}
              aria-pressed={search.q === words(name)}
              onClick={() => set({ q: search.q === words(name) ? undefined : words(name) })}
            >
              <span className="num">{n}</span> <StateMark name={name} />
            </button>
          ))}
        </div>
      </div>
      {assets.length > 0 && !assets.some(isAbnormal) ? <AllNormal checkedAt={checkedAt} /> : null}
      <Heads />
      {shown.length === 0 ? (
        <Empty title={assets.length ? "No machine matches the filter" : "This plant has no machines yet"}>
          {assets.length ? "Clear the filter to see all." : "Describe it in a file and run: forewarn apply plant.toml"}
        </Empty>
      ) : search.group === "area" ? (
        groupByArea(shown).map(({ area, assets: members }) => (
          <section key={area} aria-label={area}>
            <h2 className={classes.area}>{area}</h2>
            <ul className={classes.rows}>{rows(members)}</ul>
          </section>
        ))
      ) : (
        <ul className={classes.rows}>{rows(shown)}</ul>
      )}
    </div>
  );
}

function AllNormal({ checkedAt }: { checkedAt: number }) {
  const now = useNow();
  return (
    <p className={classes.calm}>
      No machine abnormal; last check {formatDuration(Math.max(0, Math.round((now - checkedAt) / 1000)) || 0.4)} ago
    </p>
  );
}

function Heads() {
  return (
    <div className={classes.heads} aria-hidden="true">
      <span>Condition</span>
      <span>Machine</span>
      <span>Why</span>
      <span className={classes.right}>Leading signal</span>
      <span>Last 15 min</span>
      <span>For</span>
      <span>Alarms</span>
    </div>
  );
}

function step(root: HTMLElement | null, by: 1 | -1): void {
  const rows = [...(root?.querySelectorAll<HTMLElement>("[data-worklist-row]") ?? [])];
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
  rows[next]?.focus();
}
