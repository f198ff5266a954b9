import { Button, Group, Modal, Stack } from "@mantine/core";
import { type ReactNode, useRef, useState } from "react";
import classes from "./Access.module.css";

interface OneTimeSecretProps {
  title: string;
  /** Null while there is nothing to show. */
  secret: string | null;
  label: string;
  children: ReactNode;
  onClose: () => void;
}

/** What the server says this once. It goes only by the button, so that no stray click loses it. */
export function OneTimeSecret({ title, secret, label, children, onClose }: OneTimeSecretProps) {
  return (
    <Modal
      opened={secret !== null}
      onClose={onClose}
      title={title}
      centered
      size="lg"
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      {secret === null ? null : (
        <Stack gap="sm">
          <div>{children}</div>
          <Secret label={label} text={secret} />
          <p className={classes.warning}>It is shown this once and cannot be looked up later.</p>
          <Group justify="flex-end">
            <Button onClick={onClose}>I have it</Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

/** Text to be taken along; where the browser forbids copying, it is selected for the keyboard. */
export function Secret({ label, text }: { label: string; text: string }) {
  const code = useRef<HTMLElement>(null);
  const [said, setSaid] = useState("Copy");
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      if (code.current) getSelection()?.selectAllChildren(code.current);
      setSaid("Press Ctrl C");
    }
  }
  return (
    <div className={classes.secret}>
      <code ref={code} aria-label={label} tabIndex={0}>
        {text}
      </code>
      <Button variant="default" data-autofocus onClick={() => void copy()}>
        <span aria-live="polite">{said}</span>
      </Button>
    </div>
  );
}
