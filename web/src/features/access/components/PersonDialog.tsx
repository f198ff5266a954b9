import { Button, Group, Modal, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { Grant, Person, Roles } from "@/api/types";
import { ErrorPanel } from "@/ui/components/Panel";
import { useAddPerson, useChangePerson } from "../api/access";
import classes from "./Access.module.css";
import { GrantsEditor } from "./GrantsEditor";

interface PersonDialogProps {
  /** Null for somebody new. */
  person: Person | null;
  roles: Roles;
  onClose: () => void;
  /** Somebody new, and the password to hand over. */
  onAdded: (name: string, oneTimePassword: string) => void;
}

/** Somebody new, or what somebody may do. */
export function PersonDialog({ person, roles, onClose, onAdded }: PersonDialogProps) {
  const [name, setName] = useState(person?.name ?? "");
  const [fullName, setFullName] = useState(person?.full_name ?? "");
  const [grants, setGrants] = useState<Grant[]>(person?.grants ?? []);
  const add = useAddPerson();
  const change = useChangePerson();
  const error = add.error ?? change.error;
  const choices = roles.roles.map(({ role }) => role).filter((role) => role !== "gateway");

  function submit(e: FormEvent): void {
    e.preventDefault();
    const full_name = fullName.trim();
    if (person) return change.mutate({ id: person.id, full_name, grants }, { onSuccess: onClose });
    add.mutate(
      { name: name.trim(), full_name, grants },
      { onSuccess: ({ person: added, one_time_password }) => onAdded(added.name, one_time_password) },
    );
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={person ? `Change ${person.name}` : "Add a person"}
      centered
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form className={classes.fields} onSubmit={submit}>
        {error ? <ErrorPanel error={error} /> : null}
        {person ? null : (
          <TextInput
            label="Name to sign in with"
            description="Short and lasting; journal and audit log call the person by it."
            required
            withAsterisk={false}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
        )}
        <TextInput label="Full name" autoComplete="off" value={fullName} onChange={(e) => setFullName(e.currentTarget.value)} />
        <GrantsEditor grants={grants} roles={roles} choices={choices} onChange={setGrants} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {person ? "Keep it as it is" : "Add nobody"}
          </Button>
          <Button type="submit" loading={add.isPending || change.isPending} disabled={!person && !name.trim()}>
            {person ? "Save changes" : "Add person"}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
