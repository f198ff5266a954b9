import { Table } from "@mantine/core";
import type { AssetDetail, SignalInfo } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { formatLimit, formatQuantity, formatTime, formatUnit, sentence, signalName, splitUnit, zoneName } from "@/ui/format";
import { failureMode } from "../failure-modes";
import classes from "./AssetDetails.module.css";

const LIMIT_NAMES = [
  ["low_critical", "LL"],
  ["low", "L"],
  ["high", "H"],
  ["high_critical", "HH"],
] as const;

/** What the machine is: nameplate, parts and how each of its signals is measured. */
export function AssetDetails({ asset }: { asset: AssetDetail }) {
  const specifications = Object.entries(asset.specifications ?? {});
  return (
    <div className={classes.grid}>
      <Panel title="Nameplate">
        <dl className={classes.facts}>
          <dt>Asset id</dt>
          <dd>{asset.id}</dd>
          <dt>Place</dt>
          <dd>{asset.path.join(" / ")}</dd>
          <dt>Template</dt>
          <dd>{sentence(asset.template) || "–"}</dd>
          <dt>Status</dt>
          <dd>{sentence(asset.status)}</dd>
          {specifications.flatMap(([key, value]) => {
            const [name, unit] = splitUnit(key);
            return [
              <dt key={key}>{name}</dt>,
              <dd key={`${key}=`} className="num">
                {typeof value === "string" ? sentence(value) : String(value)} <span className="muted">{unit}</span>
              </dd>,
            ];
          })}
        </dl>
      </Panel>
      <Panel title="Components and how they fail" actions={<span className="muted">modes after ISO 14224</span>}>
        <dl className={classes.facts}>
          {asset.components.flatMap(({ name, failure_modes }) => [
            <dt key={name}>{sentence(name)}</dt>,
            <dd key={`${name}=`}>{failure_modes.map(failureMode).join(", ") || "–"}</dd>,
          ])}
        </dl>
      </Panel>
      <div className={classes.wide}>
        <Panel title="Signals" flush>
          <ScrollBox label="Signals" minWidth={760}>
            <Table className={classes.table} verticalSpacing={6} horizontalSpacing={14}>
              <Table.Thead>
                <Table.Tr>
                  {["Signal", "Source and address", "Rate", "Range", "Limits", "Latest", "Quality", `At (${zoneName()})`].map((name) => (
                    <Table.Th key={name}>{name}</Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {asset.signals.map((signal) => (
                  <SignalRow key={signal.id} signal={signal} />
                ))}
              </Table.Tbody>
            </Table>
          </ScrollBox>
        </Panel>
      </div>
    </div>
  );
}

function SignalRow({ signal }: { signal: SignalInfo }) {
  const limits = LIMIT_NAMES.flatMap(([key, label]) => {
    const limit = signal.limits[key];
    return limit === null || limit === undefined ? [] : [`${label} ${formatLimit(limit)}`];
  });
  return (
    <Table.Tr>
      <Table.Td>
        <strong>{signalName(signal.name)}</strong>
        <div className="muted">{signal.id}</div>
      </Table.Td>
      <Table.Td>
        {signal.source ?? "pushed over HTTP"}
        <div className="muted">{signal.address ?? ""}</div>
      </Table.Td>
      <Table.Td className="num">{signal.rate_hz} Hz</Table.Td>
      <Table.Td className="num">
        {range(signal)}
      </Table.Td>
      <Table.Td className="num">{limits.join(", ") || "–"}</Table.Td>
      <Table.Td className="num">
        {formatQuantity(signal.latest?.value, signal.unit)} {formatUnit(signal.unit)}
      </Table.Td>
      <Table.Td>{sentence(signal.latest?.quality_name ?? "no data")}</Table.Td>
      <Table.Td className="num">{formatTime(signal.latest?.time)}</Table.Td>
    </Table.Tr>
  );
}

function range({ range_low, range_high, unit }: SignalInfo): string {
  if (range_low === null && range_high === null) return "–";
  const end = (value: number | null): string => (value === null ? "" : formatLimit(value));
  return `${end(range_low)} … ${end(range_high)} ${formatUnit(unit)}`;
}
