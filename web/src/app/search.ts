import type { AuditFilter } from "@/api/types";
import type { WorklistSearch } from "@/features/assets/components/Worklist";
import type { AlarmFilter } from "@/features/alarms/order";
import type { TrendSearch } from "@/features/signals/components/TrendPanel";

export const TABS = ["trend", "alarms", "anomalies", "details"] as const;
export type Tab = (typeof TABS)[number];
/** finding: of the tab Anomalies, opened. */
export type AssetSearch = TrendSearch & AlarmFilter & { tab?: Tab; finding?: string };

type Raw = Record<string, unknown>;

const text = (raw: Raw, key: string): string | undefined => {
  const value = raw[key];
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value ? value : undefined;
};
const number = (raw: Raw, key: string): number | undefined => {
  const value = Number(raw[key]);
  return raw[key] !== undefined && Number.isFinite(value) ? value : undefined;
};

/** Only what is set, so that addresses stay short. */
function compact<T extends object>(search: T): T {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as T;
}

export function readWorklistSearch(raw: Raw): WorklistSearch {
  return compact({ q: text(raw, "q"), group: raw.group === "area" ? ("area" as const) : undefined });
}

export function readAlarmSearch(raw: Raw): AlarmFilter {
  return compact({ state: text(raw, "state"), priority: text(raw, "priority"), asset: text(raw, "asset") });
}

export function readAuditSearch(raw: Raw): AuditFilter {
  return compact({
    action: text(raw, "action"),
    actor: text(raw, "actor"),
    text: text(raw, "text"),
    start: text(raw, "start"),
    end: text(raw, "end"),
  });
}

export function readAssetSearch(raw: Raw): AssetSearch {
  return compact({
    range: text(raw, "range"),
    from: number(raw, "from"),
    to: number(raw, "to"),
    signals: text(raw, "signals"),
    view: raw.view === "table" ? ("table" as const) : undefined,
    ...readAlarmSearch(raw),
    tab: TABS.find((tab) => tab === raw.tab),
    finding: text(raw, "finding"),
  });
}
