import { Table } from "@mantine/core";
import type { Model } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { sentence, signalName } from "@/ui/format";
import { shiftBar, shiftOf } from "../words";
import classes from "./Models.module.css";

const nameOf = (id: string): string => signalName(id.slice(id.lastIndexOf(".") + 1));

/** What the model makes of each signal, worst first, and why some take no part. */
export function SignalsPanel({ model }: { model: Model }) {
  const { shifts, left_out, baseline_of } = model.card;
  const sorted = [...shifts].sort((a, b) => (b.model ?? Infinity) - (a.model ?? Infinity));
  const baseline = sentence(baseline_of || "baseline");
  return (
    <Panel title="How blind it is, signal by signal" label="Signals of the model" flush>
      <p className={classes.explained}>
        The smallest lasting shift that it finds, in the signal&apos;s usual spread in health: the shorter the bar, the sharper it
        sees. Beside it, what finds it without a model.
      </p>
      <ScrollBox label="Signals of the model" minWidth={0}>
        <Table verticalSpacing={5} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Signal</Table.Th>
              <Table.Th>This model</Table.Th>
              <Table.Th>{baseline}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sorted.map((shift) => (
              <Table.Tr key={shift.signal_id}>
                <Table.Td data-wide>{nameOf(shift.signal_id)}</Table.Td>
                <Table.Td className="num" data-label="Model">
                  <Shift shift={shift.model} />
                </Table.Td>
                <Table.Td className="num" data-label="Without">
                  <Shift shift={shift.baseline} quiet />
                </Table.Td>
              </Table.Tr>
            ))}
            {left_out.map(({ signal_id, reason }) => (
              <Table.Tr key={signal_id}>
                <Table.Td data-wide>{nameOf(signal_id)}</Table.Td>
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

function Shift({ shift, quiet = false }: { shift: number | null; quiet?: boolean }) {
  return (
    <span className={classes.shift}>
      <span className={classes.track} aria-hidden="true">
        <span className={quiet ? classes.quietBar : classes.bar} style={{ inlineSize: `${String(shiftBar(shift))}%` }} />
      </span>
      {shiftOf(shift)}
    </span>
  );
}
