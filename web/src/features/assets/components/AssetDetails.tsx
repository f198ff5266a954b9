import { Table } from "@mantine/core";
import type { AssetDetail, SignalInfo } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { formatTime, formatUnit, formatValue, sentence } from "@/ui/format";
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
          {specifications.flatMap(([key, value]) => [
            <dt key={key}>{sentence(key)}</dt>,
            <dd key={`${key}=`} className="num">
              {String(value)}
            </dd>,
          ])}
        </dl>
      </Panel>
      <Panel title="Components">
        <dl className={classes.facts}>
          {asset.components.flatMap(({ name, failure_modes }) => [
            <dt key={name}>{sentence(name)}</dt>,
            <dd key={`${name}=`}>{failure_modes.join(", ") || "–"}</dd>,
          ])}
        </dl>
      </Panel>
      <div className={classes.wide}>
        <Panel title="Signals" flush>
          <ScrollBox label="Signals" minWidth={760}>
            <Table className={classes.table} verticalSpacing={6} horizontalSpacing={14}>
              <Table.Thead>
                <Table.Tr>
                  {["Signal", "Kind", "Source", "Address", "Rate", "Range", "Limits", "Latest", "Quality", "At"].map(
                    (name) => (
                      <Table.Th key={name}>{name}</Table.Th>
                    ),
                  )}
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
    return limit === null || limit === undefined ? [] : [`${label} ${limit}`];
  });
  return (
    <Table.Tr>
      <Table.Td>
        <strong>{sentence(signal.name)}</strong>
        <div className="muted">{signal.id}</div>
      </Table.Td>
      <Table.Td>{sentence(signal.kind)}</Table.Td>
      <Table.Td>{signal.source ?? "pushed"}</Table.Td>
      <Table.Td>{signal.address ?? "–"}</Table.Td>
      <Table.Td className="num">{signal.rate_hz} Hz</Table.Td>
      <Table.Td className="num">
        {signal.range_low ?? "–"} … {signal.range_high ?? "–"}
      </Table.Td>
      <Table.Td className="num">{limits.join(", ") || "–"}</Table.Td>
      <Table.Td className="num">
        {formatValue(signal.latest?.value)} {formatUnit(signal.unit)}
      </Table.Td>
      <Table.Td>{signal.latest?.quality_name ?? "no data"}</Table.Td>
      <Table.Td className="num">{formatTime(signal.latest?.time)}</Table.Td>
    </Table.Tr>
  );
}
