import { Button, Group, Modal, Stack, Textarea } from "@mantine/core";
import { useState } from "react";

interface CommentDialogProps {
  title: string;
  verb: string;
  opened: boolean;
  required: boolean;
  onClose: () => void;
  onWrite: (comment: string) => void;
}

/** Words for the journal, before an action that should be explained. */
export function CommentDialog({ title, verb, opened, required, onClose, onWrite }: CommentDialogProps) {
  const [text, setText] = useState("");
  const blank = required && !text.trim();
  return (
    <Modal opened={opened} onClose={onClose} title={title} centered closeButtonProps={{ "aria-label": "Close" }}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (blank) return;
          onWrite(text.trim());
          setText("");
        }}
      >
        <Stack gap="sm">
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
            <Button type="submit" disabled={blank}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
