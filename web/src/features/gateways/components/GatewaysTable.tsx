import { Table } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { GatewaySummary } from "@/api/types";
import { useNow } from "@/ui/clock";
import { Empty, Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { formatDuration } from "@/ui/format";
import { backlogWords, roleWords, stateMark, stateWord } from "../words";
import { BufferBar } from "./BufferBar";
import classes from "./Gateways.module.css";

interface GatewaysTableProps {
  gateways: readonly GatewaySummary[];
  /** Date.now() when they were read. */
  readAt: number;
}

/** Every edge gateway of the site in one line each. */
export function GatewaysTable({ gateways, readAt }: GatewaysTableProps) {
  return (
    <Panel title="Edge gateways" flush>
      {gateways.length === 0 ? (
        <Empty title="No edge gateway has come to this site">
          Add a machine, enrol the gateway with its token, and start it: forewarn gateway --config gateway.toml
        </Empty>
      ) : (
        <ScrollBox label="Edge gateways" minWidth={0}>
          <Table verticalSpacing={9} horizontalSpacing={14} fz={13} className={classes.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Gateway</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Heard</Table.Th>
                <Table.Th>Live data</Table.Th>
                <Table.Th>Backlog</Table.Th>
                <Table.Th>Buffer</Table.Th>
                <Table.Th>Devices</Table.Th>
                <Table.Th>Ledger</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {gateways.map((gateway) => (
                <Row key={gateway.name} gateway={gateway} readAt={readAt} />
              ))}
            </Table.Tbody>
          </Table>
        </ScrollBox>
      )}
    </Panel>
  );
}

function Row({ gateway, readAt }: { gateway: GatewaySummary; readAt: number }) {
  return (
    <Table.Tr>
      <Table.Td data-wide>
        <Link to="/admin/gateways/$name" params={{ name: gateway.name }} className={classes.name}>
          {gateway.name}
        </Link>{" "}
        <span className="muted">
          {gateway.version ? `version ${gateway.version}, ` : ""}
          {roleWords(gateway.role).toLowerCase()}
        </span>
      </Table.Td>
      <Table.Td>
        <span className={classes.state}>
          <StateMark name={stateMark(gateway.state)} compact />
          {stateWord(gateway.state)}
        </span>
        {gateway.conditions ? (
          <div>
            <span className={classes.state}>
              <StateMark name="medium" compact />
              {gateway.conditions === 1 ? "1 condition" : `${gateway.conditions} conditions`}
            </span>
          </div>
        ) : null}
      </Table.Td>
      <Table.Td className="num" data-label="Heard">
        <Heard seconds={gateway.seconds_since_last} readAt={readAt} />
      </Table.Td>
      <Table.Td className="num" data-label="Live data">
        {gateway.live_lag_s === null ? "–" : `${formatDuration(gateway.live_lag_s)} behind`}
      </Table.Td>
      <Table.Td data-label="Backlog" data-wide>
        {backlogWords(gateway.backlog_readings, gateway.catch_up_s)}
      </Table.Td>
      <Table.Td data-wide data-none={!gateway.buffer || undefined}>
        {gateway.buffer ? <BufferBar buffer={gateway.buffer} /> : "–"}
      </Table.Td>
      <Table.Td className="num" data-label="Devices">
        {gateway.sources ? `${gateway.sources_connected} of ${gateway.sources}` : "–"}
      </Table.Td>
      <Table.Td data-label="Ledger">{gateway.adds_up === null ? "–" : <Sum adds_up={gateway.adds_up} />}</Table.Td>
    </Table.Tr>
  );
}

function Sum({ adds_up }: { adds_up: boolean }) {
  return (
    <span className={classes.state}>
      <StateMark name={adds_up ? "normal" : "alarm"} compact />
      {adds_up ? "adds up" : "does not add up"}
    </span>
  );
}

function Heard({ seconds, readAt }: { seconds: number | null; readAt: number }) {
  const now = useNow();
  if (seconds === null) return "never";
  return `${formatDuration(seconds + Math.max(0, now - readAt) / 1000)} ago`;
}
