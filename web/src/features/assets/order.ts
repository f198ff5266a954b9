import type { AssetSummary } from "@/api/types";

const CONDITIONS = ["critical", "alarm", "advisory", "stale", "no_data", "baselining", "normal"] as const;
const QUIET = new Set(["normal", "baselining"]);

export const isAbnormal = (asset: AssetSummary): boolean => !QUIET.has(asset.condition);

/** Assets whose name, id, path, template or condition holds every word of `text`. */
export function filterAssets(assets: readonly AssetSummary[], text: string): AssetSummary[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  return assets.filter((asset) => {
    const hay = [asset.name, asset.id, ...asset.path, asset.template, asset.condition.replaceAll("_", " ")].join(" ").toLowerCase();
    return wanted.every((word) => hay.includes(word));
  });
}

export interface AreaGroup {
  area: string;
  assets: AssetSummary[];
}

/** Groups by area, in the order in which the ranking first names each. */
export function groupByArea(assets: readonly AssetSummary[]): AreaGroup[] {
  const groups = new Map<string, AssetSummary[]>();
  for (const asset of assets) {
    const area = asset.path[2] ?? "Elsewhere";
    const group = groups.get(area);
    if (group) group.push(asset);
    else groups.set(area, [asset]);
  }
  return [...groups].map(([area, members]) => ({ area, assets: members }));
}

/** How many assets are in each condition, worst first, without the empty ones. */
export function countConditions(assets: readonly AssetSummary[]): [string, number][] {
  return CONDITIONS.map((name): [string, number] => [name, assets.filter((a) => a.condition === name).length]).filter(
    ([, n]) => n > 0,
  );
}

/** The leading steps of the hierarchy that all assets share; empty without assets. */
export function commonPath(assets: readonly AssetSummary[]): string[] {
  const first = assets[0]?.path ?? [];
  const differs = first.findIndex((step, i) => assets.some((asset) => asset.path[i] !== step));
  return first.slice(0, differs < 0 ? first.length : differs);
}
