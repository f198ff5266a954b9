import { PasswordInput } from "@mantine/core";
import { type KeyboardEvent, type Ref, useState } from "react";
import classes from "./Session.module.css";

interface SecretInputProps {
  label: string;
  name: string;
  autoComplete: "current-password" | "new-password";
  value: string;
  error?: string | undefined;
  autoFocus?: boolean;
  ref?: Ref<HTMLInputElement>;
  onChange: (value: string) => void;
}

/** A password that can be shown, with a word when caps lock is on. */
export function SecretInput({ label, onChange, autoFocus, ...rest }: SecretInputProps) {
  const [shown, setShown] = useState(false);
  const [caps, setCaps] = useState(false);
  const readCaps = (e: KeyboardEvent): void => setCaps(e.getModifierState("CapsLock"));
  return (
    <>
      <PasswordInput
        {...rest}
        label={label}
        size="md"
        required
        withAsterisk={false}
        data-autofocus={autoFocus || undefined}
        autoFocus={autoFocus ?? false}
        visible={shown}
        onVisibilityChange={setShown}
        visibilityToggleButtonProps={{ "aria-label": `${shown ? "Hide" : "Show"} ${label.toLowerCase()}`, tabIndex: 0 }}
        onKeyDown={readCaps}
        onKeyUp={readCaps}
        onBlur={() => setCaps(false)}
        onChange={(e) => onChange(e.currentTarget.value)}
        spellCheck={false}
        autoCapitalize="none"
      />
      <p className={classes.caps} role="status">
        {caps ? "Caps lock is on." : ""}
      </p>
    </>
  );
}
