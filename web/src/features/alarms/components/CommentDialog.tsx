import { Button, Group, Modal, Stack, Textarea } from "@mantine/core";
import { useState } from "react";
import { ErrorPanel } from "@/ui/components/Panel";

interface CommentDialogProps {
  title: string;
  verb: string;
  opened: boolean;
  required: boolean;
  error: Error | null;
  busy: boolean;
  onClose: () => void;
  onWrite: (comment: string) => void;
}

/** Words for the journal, before an action that should be explained. */
export function CommentDialog({ title, opened, onClose, ...form }: CommentDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} centered closeButtonProps={{ "aria-label": "Close" }}>
      <CommentForm {...form} onClose={onClose} />
    </Modal>
  );
}

/** Empty each time that the dialog opens. */
function CommentForm({ verb, required, error, busy, onClose, onWrite }: Omit<CommentDialogProps, "title" | "opened">) {
  const [text, setText] = useState("");
  const blank = required && !text.trim();
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (!blank && !busy) onWrite(text.trim());
      }}
    >
      <Stack gap="sm">
        {error ? <ErrorPanel error={error} /> : null}
        <Textarea
          label="Comment"
          autosize
          minRows={3}
          data-autofocus
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Keep it as it is
          </Button>
          <Button type="submit" loading={busy} disabled={blank}>
            {verb}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
