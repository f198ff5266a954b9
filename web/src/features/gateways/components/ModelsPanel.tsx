import { Table } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Gateway } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { formatTime } from "@/ui/format";
import { modelsWords, standingOf } from "../model-words";
import classes from "./Gateways.module.css";

/** Which model acts on each machine behind the gateway, and where it is not the one that should. */
export function ModelsPanel({ models }: { models: Gateway["models"] }) {
  if (models.told_at === null && models.machines.length === 0) return null;
  return (
    <Panel title="Models" label="Models of the gateway">
      <p className={classes.sentence}>
        {modelsWords(models)} {models.told_at ? <span className="muted num">Told {formatTime(models.told_at)}.</span> : null}
      </p>
      {models.machines.length ? (
        <ScrollBox label="Models by machine" minWidth={0}>
          <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Machine</Table.Th>
                <Table.Th>Acts there</Table.Th>
                <Table.Th>How it stands</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {models.machines.map((machine) => {
                const { mark, text } = standingOf(machine, models.told_at !== null);
                return (
                  <Table.Tr key={machine.asset_id}>
                    <Table.Td data-wide>
                      <Link to="/models/$id" params={{ id: machine.asset_id }}>
                        {machine.asset_id}
                      </Link>
                    </Table.Td>
                    <Table.Td className="num" data-label="Acts there" data-wide>
                      {machine.acting ? machine.acting.slice(0, 12) : "none"}
                    </Table.Td>
                    <Table.Td data-wide>
                      <span className={classes.state}>
                        <StateMark name={mark} compact word="" />
                        <span>{text}</span>
                      </span>
                    </Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </ScrollBox>
      ) : null}
      {models.keys.length ? (
        <p className="muted">
          It believes models signed by{" "}
          {models.keys.map((key, i) => (
            <span key={key}>
              {i ? ", " : ""}
              <span className="num">{key}</span>
            </span>
          ))}
          {models.trusts_site ? ", this site among them." : "."}
        </p>
      ) : null}
    </Panel>
  );
}
