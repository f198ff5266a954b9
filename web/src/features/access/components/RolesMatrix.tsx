import { Table } from "@mantine/core";
import type { Action, Roles } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { sentence } from "@/ui/format";
import { IconCheck } from "@/ui/icons";
import { actionWords } from "../words";
import classes from "./Access.module.css";

const FIRST_COLUMN = 190;
const COLUMN = 96;

/** Which role may do what. It is part of the release, so nobody changes it here. */
export function RolesMatrix({ roles }: { roles: Roles }) {
  const actions = [...new Set(roles.roles.flatMap((role) => role.actions))].sort(
    (a, b) => many(roles, b) - many(roles, a) || a.localeCompare(b),
  );
  return (
    <Panel title="Roles" flush>
      <ScrollBox label="What each role may do" minWidth={FIRST_COLUMN + COLUMN * roles.roles.length}>
        <Table verticalSpacing={6} horizontalSpacing={10} fz={13} className={classes.matrix}>
          <Table.Caption>
            A role counts in the part of the plant it is given for. What is marked “whole site” comes with a role only when that is
            given everywhere.
          </Table.Caption>
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={FIRST_COLUMN}>Action</Table.Th>
              {roles.roles.map(({ role }) => (
                <Table.Th key={role}>{sentence(role)}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {actions.map((action) => (
              <Table.Tr key={action}>
                <Table.Th fw={500}>
                  {actionWords(action)}
                  {roles.site_wide_actions.includes(action) ? <span className="muted"> whole site</span> : null}
                </Table.Th>
                {roles.roles.map((role) => (
                  <Table.Td key={role.role}>
                    {role.actions.includes(action) ? (
                      <>
                        <IconCheck size={16} />
                        <span className="sr-only">yes</span>
                      </>
                    ) : (
                      <span className="sr-only">no</span>
                    )}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
    </Panel>
  );
}

const many = ({ roles }: Roles, action: Action): number => roles.filter((role) => role.actions.includes(action)).length;
