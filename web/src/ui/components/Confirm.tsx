import { Button, Group, Modal } from "@mantine/core";
import type { ReactNode } from "react";

interface ConfirmProps {
  title: string;
  /** On the button that does it. */
  verb: string;
  keep: string;
  opened: boolean;
  busy: boolean;
  children: ReactNode;
  onClose: () => void;
  onConfirm: () => void;
}

/** Before what cannot be taken back. */
export function Confirm({ title, verb, keep, opened, busy, children, onClose, onConfirm }: ConfirmProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} centered closeButtonProps={{ "aria-label": "Close" }}>
      <div>{children}</div>
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" data-autofocus onClick={onClose}>
          {keep}
        </Button>
        <Button loading={busy} onClick={onConfirm}>
          {verb}
        </Button>
      </Group>
    </Modal>
  );
}
