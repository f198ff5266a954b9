import { Button, Group, Modal, Textarea } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { ErrorPanel } from "@/ui/components/Panel";

interface ReasonDialogProps {
  title: string;
  verb: string;
  error: Error | null;
  busy: boolean;
  onClose: () => void;
  onDo: (reason: string) => void;
  /** What will happen. */
  children: ReactNode;
}

/** Says what will happen, and asks why. */
export function ReasonDialog({ title, verb, error, busy, onClose, onDo, children }: ReasonDialogProps) {
  const [reason, setReason] = useState("");
  return (
    <Modal opened onClose={onClose} title={title} centered closeButtonProps={{ "aria-label": "Close" }}>
      {error ? <ErrorPanel error={error} /> : null}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onDo(reason.trim());
        }}
      >
        <p>{children} The audit log keeps it.</p>
        <Textarea
          label="Why"
          required
          autosize
          minRows={2}
          maxLength={2000}
          data-autofocus
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <Group justify="flex-end" gap="xs" mt="md">
          <Button variant="default" onClick={onClose}>
            Leave it as it is
          </Button>
          <Button type="submit" loading={busy} disabled={reason.trim() === ""}>
            {verb}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
