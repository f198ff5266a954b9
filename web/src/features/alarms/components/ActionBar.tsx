import { Button, Menu } from "@mantine/core";
import { IconMore } from "@/ui/icons";
import type { AlarmAction } from "../api/alarms";
import classes from "./AlarmConsole.module.css";

export type Verb = "acknowledge" | "shelve" | "comment" | "back" | Extract<AlarmAction, "out_of_service" | "reset">;

interface ActionBarProps {
  count: number;
  total: number;
  busy: boolean;
  onVerb: (verb: Verb) => void;
  onAll: () => void;
  onNone: () => void;
}

const VERBS: { verb: Verb; label: string; key: string }[] = [
  { verb: "acknowledge", label: "Acknowledge", key: "a" },
  { verb: "shelve", label: "Shelve", key: "s" },
  { verb: "comment", label: "Comment", key: "c" },
  { verb: "back", label: "Bring back", key: "u" },
];

/** What can be done to the ticked alarms; each button names its key. */
export function ActionBar({ count, total, busy, onVerb, onAll, onNone }: ActionBarProps) {
  return (
    <div className={classes.actions} data-idle={!count || undefined} role="toolbar" aria-label="Alarm actions">
      <Button variant="subtle" onClick={count ? onNone : onAll} disabled={!total}>
        {count ? `Clear ${count} selected` : "Select all"}
      </Button>
      {VERBS.map(({ verb, label, key }) => (
        <Button
          key={verb}
          variant={verb === "acknowledge" ? "filled" : "default"}
          disabled={!count || busy}
          onClick={() => onVerb(verb)}
          rightSection={
            <kbd className="key" aria-hidden="true">
              {key}
            </kbd>
          }
        >
          {label}
        </Button>
      ))}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default" disabled={!count || busy} aria-label="More actions" px={8}>
            <IconMore size={16} />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => onVerb("out_of_service")}>Take out of service</Menu.Item>
          <Menu.Item onClick={() => onVerb("reset")}>Reset latched</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}
