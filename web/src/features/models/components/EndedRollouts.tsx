import { Table } from "@mantine/core";
import type { Rollout } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { formatTime, prose } from "@/ui/format";
import { endMark, endWords, machinesWords } from "../rollouts";
import { shortId } from "../words";
import models from "./Models.module.css";
import classes from "./Rollouts.module.css";

const NAMED = 3;

interface EndedRolloutsProps {
  rollouts: readonly Rollout[];
  names: ReadonlyMap<string, string>;
}

/** What became of those that are over, newest first. */
export function EndedRollouts({ rollouts, names }: EndedRolloutsProps) {
  if (rollouts.length === 0) return null;
  return (
    <Panel title="Ended" label="Ended rollouts" flush>
      <ScrollBox label="Ended rollouts" minWidth={0}>
        <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={models.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Rollout</Table.Th>
              <Table.Th>Begun</Table.Th>
              <Table.Th>Machines</Table.Th>
              <Table.Th>How it ended</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rollouts.map(({ id, started_at, since, machines, state, reason, note }) => (
              <Table.Tr key={id}>
                <Table.Td className="num">{shortId(id)}</Table.Td>
                <Table.Td className="num">{formatTime(started_at)}</Table.Td>
                <Table.Td data-wide>
                  {machines.length > NAMED
                    ? machinesWords(machines.length)
                    : machines.map(({ asset_id }) => names.get(asset_id) ?? asset_id).join(", ")}
                </Table.Td>
                <Table.Td data-wide>
                  <span className={models.state}>
                    <StateMark name={endMark({ state, reason })} compact word="" />
                    {endWords({ state, reason })}
                  </span>{" "}
                  <span className="num muted">{formatTime(since)}</span>
                  {note ? <div className={classes.note}>{prose(note)}</div> : null}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
    </Panel>
  );
}
