import { Button, Group, Modal, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { Grant, MachineEnrolment, Roles } from "@/api/types";
import { ErrorPanel } from "@/ui/components/Panel";
import { useAddMachine } from "../api/access";
import classes from "./Access.module.css";
import { GrantsEditor } from "./GrantsEditor";

interface MachineDialogProps {
  roles: Roles;
  onClose: () => void;
  onAdded: (enrolment: MachineEnrolment) => void;
}

/** A gateway or device that is to send readings. */
export function MachineDialog({ roles, onClose, onAdded }: MachineDialogProps) {
  const [name, setName] = useState("");
  const [grants, setGrants] = useState<Grant[]>([{ role: "gateway", path: "" }]);
  const add = useAddMachine();
  function submit(e: FormEvent): void {
    e.preventDefault();
    add.mutate({ name: name.trim(), grants }, { onSuccess: onAdded });
  }
  return (
    <Modal opened onClose={onClose} title="Add a machine" centered size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      <form className={classes.fields} onSubmit={submit}>
        {add.error ? <ErrorPanel error={add.error} /> : null}
        <TextInput
          label="Name"
          description="The gateway_id it sends under; it may also send as anything below it, such as name/line-2."
          required
          withAsterisk={false}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <GrantsEditor grants={grants} roles={roles} choices={["gateway"]} onChange={setGrants} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Add nothing
          </Button>
          <Button type="submit" loading={add.isPending} disabled={!name.trim()}>
            Add machine
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
