import { Button, Table } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import type { Person, Roles } from "@/api/types";
import { useSession } from "@/api/use-session";
import { Confirm } from "@/ui/components/Confirm";
import { Empty, Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatTime } from "@/ui/format";
import { IconPlus } from "@/ui/icons";
import { useChangePerson, useResetPassword } from "../api/access";
import { failed, told } from "../report";
import { grantWords } from "../words";
import classes from "./Access.module.css";
import { OneTimeSecret } from "./OneTimeSecret";
import { PersonDialog } from "./PersonDialog";

/** Everybody who can sign in, what they may do and where. */
export function PeopleTable({ people, roles }: { people: readonly Person[]; roles: Roles }) {
  const { may } = useSession();
  const manages = may("access.manage");
  const [editing, setEditing] = useState<Person | "new" | null>(null);
  const [resetting, setResetting] = useState<Person | null>(null);
  const [secret, setSecret] = useState<{ name: string; password: string } | null>(null);
  const reset = useResetPassword();
  const change = useChangePerson();

  function setDisabled({ id, name }: Person, disabled: boolean): void {
    const notice = `person-${id}`;
    const said = disabled ? `${name} can no longer sign in; open sessions have ended.` : `${name} can sign in again.`;
    const onSuccess = (): void =>
      told(
        notice,
        <Undo
          text={said}
          onUndo={() => {
            notifications.hide(notice);
            change.mutate({ id, disabled: !disabled }, { onError: failed("It could not be taken back") });
          }}
        />,
      );
    change.mutate({ id, disabled }, { onSuccess, onError: failed(`${name} was not changed`) });
  }
  function resetPassword({ id, name }: Person): void {
    reset.mutate(id, {
      onSuccess: ({ one_time_password }) => setSecret({ name, password: one_time_password }),
      onError: failed(`The password of ${name} was not reset`),
      onSettled: () => setResetting(null),
    });
  }
  return (
    <Panel
      title="People"
      flush
      actions={
        manages ? (
          <Button leftSection={<IconPlus size={14} />} onClick={() => setEditing("new")}>
            Add person
          </Button>
        ) : null
      }
    >
      {people.length === 0 ? (
        <Empty title="Nobody has an account here">Those who sign in once through single sign-on appear by themselves.</Empty>
      ) : (
        <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Person</Table.Th>
              <Table.Th>Roles</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Added</Table.Th>
              {manages ? <Table.Th aria-label="Changes" /> : null}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {people.map((person) => (
              <PersonRow
                key={person.id}
                person={person}
                manages={manages}
                onEdit={() => setEditing(person)}
                onReset={() => setResetting(person)}
                onDisabled={(disabled) => setDisabled(person, disabled)}
              />
            ))}
          </Table.Tbody>
        </Table>
      )}
      {editing ? (
        <PersonDialog
          key={editing === "new" ? "new" : editing.id}
          person={editing === "new" ? null : editing}
          roles={roles}
          onClose={() => setEditing(null)}
          onAdded={(name, password) => {
            setEditing(null);
            setSecret({ name, password });
          }}
        />
      ) : null}
      <Confirm
        opened={resetting !== null}
        title={`Reset the password of ${resetting?.name ?? ""}?`}
        verb="Reset password"
        keep="Keep it"
        busy={reset.isPending}
        onClose={() => setResetting(null)}
        onConfirm={() => resetting && resetPassword(resetting)}
      >
        The password in use stops working and all sessions end. You get a one-time password to hand over; with it the person
        chooses a new one.
      </Confirm>
      <OneTimeSecret
        title={`One-time password for ${secret?.name ?? ""}`}
        label="One-time password"
        secret={secret?.password ?? null}
        onClose={() => setSecret(null)}
      >
        Hand this to <strong>{secret?.name}</strong>. Whoever signs in with it has to choose a password of their own.
      </OneTimeSecret>
    </Panel>
  );
}

interface PersonRowProps {
  person: Person;
  manages: boolean;
  onEdit: () => void;
  onReset: () => void;
  onDisabled: (disabled: boolean) => void;
}

function PersonRow({ person, manages, onEdit, onReset, onDisabled }: PersonRowProps) {
  const self = useSession().person.id === person.id;
  return (
    <Table.Tr className={classes.row} data-off={person.disabled || undefined}>
      <Table.Td>
        <span className={classes.names}>
          <strong>{person.name}</strong>
          <span className="muted">
            {person.full_name}
            {self ? " (you)" : ""}
          </span>
        </span>
      </Table.Td>
      <Table.Td>
        <ul className={classes.grants}>
          {person.grants.map((grant) => (
            <li key={grantWords(grant)}>{grantWords(grant)}</li>
          ))}
          {person.grants.length ? null : <li className="muted">No role: sees nothing</li>}
        </ul>
      </Table.Td>
      <Table.Td>
        <PersonState person={person} />
      </Table.Td>
      <Table.Td className="num" data-label="Added">
        {formatTime(person.created_at)}
      </Table.Td>
      {manages ? (
        <Table.Td>
          <div className={classes.buttons}>
            <Button variant="default" onClick={onEdit} aria-label={`Change ${person.name}`}>
              Change
            </Button>
            {self || person.single_sign_on ? null : (
              <Button variant="default" onClick={onReset} aria-label={`Reset password of ${person.name}`}>
                Reset password
              </Button>
            )}
            {self ? null : (
              <Button
                variant="default"
                onClick={() => onDisabled(!person.disabled)}
                aria-label={`${person.disabled ? "Enable" : "Disable"} ${person.name}`}
              >
                {person.disabled ? "Enable" : "Disable"}
              </Button>
            )}
          </div>
        </Table.Td>
      ) : null}
    </Table.Tr>
  );
}

function PersonState({ person }: { person: Person }) {
  if (person.disabled) {
    return (
      <>
        <StateMark name="no_data" compact word="" /> Disabled
      </>
    );
  }
  const how = person.single_sign_on ? "single sign-on" : person.must_change ? "has a one-time password" : "";
  return (
    <>
      <StateMark name="normal" compact word="" /> Enabled {how ? <span className="muted">{how}</span> : null}
    </>
  );
}

function Undo({ text, onUndo }: { text: string; onUndo: () => void }) {
  return (
    <div className={classes.undo}>
      <span>{text}</span>
      <Button variant="default" onClick={onUndo}>
        Undo
      </Button>
    </div>
  );
}
