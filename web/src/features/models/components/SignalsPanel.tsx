import { Table } from "@mantine/core";
import type { Model } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { sentence } from "@/ui/format";
import { shiftOf } from "../words";
import classes from "./Models.module.css";

/** What the model makes of each signal, worst first, and why some take no part. */
export function SignalsPanel({ model }: { model: Model }) {
  const { shifts, left_out, baseline_of } = model.card;
  const sorted = [...shifts].sort((a, b) => (b.model ?? Infinity) - (a.model ?? Infinity));
  return (
    <Panel title="Signals" flush>
      <ScrollBox label="Signals of the model" minWidth={0}>
        <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Signal</Table.Th>
              <Table.Th>Smallest lasting shift it finds, in healthy spreads</Table.Th>
              <Table.Th>{sentence(baseline_of || "baseline")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sorted.map((shift) => (
              <Table.Tr key={shift.signal_id}>
                <Table.Td data-wide>{shift.signal_id}</Table.Td>
                <Table.Td className="num" data-label="Model">
                  {shiftOf(shift.model)}
                </Table.Td>
                <Table.Td className="num" data-label="Baseline">
                  {shiftOf(shift.baseline)}
                </Table.Td>
              </Table.Tr>
            ))}
            {left_out.map(({ signal_id, reason }) => (
              <Table.Tr key={signal_id}>
                <Table.Td data-wide>{signal_id}</Table.Td>
                <Table.Td colSpan={2} data-wide>
                  <span className="muted">Left out: {reason}</span>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
    </Panel>
  );
}
