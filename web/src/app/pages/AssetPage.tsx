import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { Alarm } from "@/api/types";
import type { Mark } from "@/charts/overlays";
import { alarmsQuery } from "@/features/alarms/api/alarms";
import { AlarmConsole } from "@/features/alarms/components/AlarmConsole";
import { sortAlarms } from "@/features/alarms/order";
import { anomaliesQuery } from "@/features/anomalies/api/anomalies";
import { AnomalyList } from "@/features/anomalies/components/AnomalyList";
import { marksBySignal } from "@/features/anomalies/marks";
import { assetQuery } from "@/features/assets/api/assets";
import { AssetBanner } from "@/features/assets/components/AssetBanner";
import { AssetDetails } from "@/features/assets/components/AssetDetails";
import { TrendPanel } from "@/features/signals/components/TrendPanel";
import { ErrorPanel, Panel, Rows } from "@/ui/components/Panel";
import { sentence } from "@/ui/format";
import { type AssetSearch, type Tab, TABS } from "../search";
import classes from "./AssetPage.module.css";

const route = getRouteApi("/assets/$id");
const NO_MARKS: readonly Mark[] = [];

export function AssetPage() {
  const { id } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/assets/$id" });
  const asset = useQuery(assetQuery(id));
  const alarms = useQuery(alarmsQuery);
  const anomalies = useQuery(anomaliesQuery(id));
  const found = useMemo(() => anomalies.data ?? [], [anomalies.data]);
  const marks = useMemo(() => marksBySignal(found), [found]);
  const marksOf = useCallback((signalId: string) => marks.get(signalId) ?? NO_MARKS, [marks]);
  const onSearch = useCallback(
    (change: AssetSearch) => void navigate({ search: (old) => ({ ...old, ...change }) }),
    [navigate],
  );
  if (!asset.data) {
    return asset.error ? (
      <ErrorPanel error={asset.error} onRetry={() => void asset.refetch()}>
        <Link to="/">Go to the worklist</Link>
      </ErrorPanel>
    ) : (
      <Panel flush>
        <Rows count={6} height={90} />
      </Panel>
    );
  }
  const own = (alarms.data?.alarms ?? []).filter((alarm) => alarm.asset_id === id);
  const top = sortAlarms(own.filter((a) => a.active && a.state !== "shelved" && a.state !== "out_of_service"))[0];
  const counts: Record<string, number> = {};
  for (const { state } of own) counts[state] = (counts[state] ?? 0) + 1;
  const badge: Partial<Record<Tab, number>> = { alarms: own.length, anomalies: found.length };
  const tab = search.tab ?? "trend";
  return (
    <div className={classes.page}>
      <AssetBanner
        asset={asset.data}
        nextAction={top ? { action: top.action, due: dueOf(top) } : null}
      />
      <Tabs
        value={tab}
        onChange={(value) => onSearch({ tab: TABS.find((t) => t === value) })}
        keepMounted={false}
        classNames={{ list: classes.tabs, panel: classes.panel }}
      >
        <Tabs.List aria-label="Views of this machine">
          {TABS.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {sentence(name)}
              {badge[name] ? <span className={`${classes.badge} num`}>{badge[name]}</span> : null}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="trend">
          <TrendPanel signals={asset.data.signals} marksOf={marksOf} search={search} onSearch={onSearch} />
        </Tabs.Panel>
        <Tabs.Panel value="alarms">
          <AssetAlarms alarms={own} counts={counts} error={alarms.error} />
        </Tabs.Panel>
        <Tabs.Panel value="anomalies">
          {anomalies.error ? (
            <ErrorPanel error={anomalies.error} onRetry={() => void anomalies.refetch()} />
          ) : (
            <AnomalyList anomalies={found} assetId={id} opened={search.finding} />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="details">
          <AssetDetails asset={asset.data} />
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}

/** When the response time of an alarm that nobody has acknowledged runs out. */
function dueOf({ state, raised_at, response_minutes }: Alarm): string | null {
  if (state !== "unacknowledged" || !raised_at) return null;
  return new Date(Date.parse(raised_at) + response_minutes * 60_000).toISOString();
}

type ConsoleProps = Parameters<typeof AlarmConsole>[0];

function AssetAlarms({ alarms, counts, error }: Pick<ConsoleProps, "alarms" | "counts"> & { error: Error | null }) {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/assets/$id" });
  if (error) return <ErrorPanel error={error} />;
  return (
    <AlarmConsole
      alarms={alarms}
      counts={counts}
      single
      filter={search}
      onFilter={(change) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })}
    />
  );
}
