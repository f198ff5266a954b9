import { Button, Group, Modal } from "@mantine/core";

interface ConfirmStopProps {
  opened: boolean;
  onClose: () => void;
  onStop: () => void;
}

export function ConfirmStop({ opened, onClose, onStop }: ConfirmStopProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="Stop the simulated plant?" centered closeButtonProps={{ "aria-label": "Close" }}>
      <p>Its machines fall silent, so their data will be shown as stale. What is recorded stays.</p>
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose}>
          Keep it running
        </Button>
        <Button onClick={onStop}>Stop simulation</Button>
      </Group>
    </Modal>
  );
}
