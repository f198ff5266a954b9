import { Button, Table } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Rollout } from "@/api/types";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { shortId } from "../words";
import models from "./Models.module.css";
import classes from "./Rollouts.module.css";

const SHOWN = 8;

interface RolloutMachinesProps {
  machines: Rollout["machines"];
  names: ReadonlyMap<string, string>;
}

/** Which model is tried on each machine, in whose place, and which of the two speaks; those where the new one does first. */
export function RolloutMachines({ machines, names }: RolloutMachinesProps) {
  const [all, setAll] = useState(false);
  const sorted = [...machines].sort((a, b) => Number(b.acts) - Number(a.acts));
  const shown = all ? sorted : sorted.slice(0, SHOWN);
  return (
    <>
      <h3 className={classes.title}>Machines</h3>
      <ScrollBox label="Machines of the rollout" minWidth={0}>
        <Table verticalSpacing={5} horizontalSpacing={14} fz={13} className={`${models.table} ${classes.inner}`}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Machine</Table.Th>
              <Table.Th>New model</Table.Th>
              <Table.Th>In place of</Table.Th>
              <Table.Th>Who acts</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map(({ asset_id, model_id, champion_id, acts }) => (
              <Table.Tr key={asset_id}>
                <Table.Td data-wide>
                  <Link to="/models/$id" params={{ id: asset_id }} className={models.name}>
                    {names.get(asset_id) ?? asset_id}
                  </Link>
                </Table.Td>
                <Table.Td className="num" data-label="New" data-wide>
                  {shortId(model_id)}
                </Table.Td>
                <Table.Td className="num" data-label="In place of" data-wide>
                  {champion_id ? shortId(champion_id) : "no model"}
                </Table.Td>
                <Table.Td data-label="Acts" data-wide>
                  {acts ? <strong>The new one</strong> : champion_id ? "The champion" : "No model"}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
      {sorted.length > SHOWN ? (
        <Button variant="default" mt={6} aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Fewer" : `All ${String(sorted.length)} machines`}
        </Button>
      ) : null}
    </>
  );
}
