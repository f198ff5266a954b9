import { Button, Group } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { AlarmActionResult } from "@/api/types";
import type { AlarmCommand } from "../api/alarms";

const DONE: Record<AlarmCommand["action"], string> = {
  acknowledge: "acknowledged",
  shelve: "shelved",
  unshelve: "back from the shelf",
  reset: "reset",
  suppress: "suppressed",
  unsuppress: "no longer suppressed",
  out_of_service: "taken out of service",
  in_service: "back in service",
  comment: "commented",
};

/** Say what became of a command; each refusal stands in the list beside its alarm. Shelving can be taken back here. */
export function reportResults(
  command: AlarmCommand,
  results: readonly AlarmActionResult[],
  undo: (ids: string[]) => void,
): void {
  const done = results.filter((r) => r.ok).map((r) => r.id);
  const refused = results.length - done.length;
  const id = `alarms-${command.action}-${Date.now()}`;
  const told = done.length ? `${done.length} ${done.length === 1 ? "alarm" : "alarms"} ${DONE[command.action]}` : "";
  const not = refused ? `${refused} not: see the list` : "";
  notifications.show({
    id,
    autoClose: command.action === "shelve" ? 10_000 : 4_000,
    withBorder: true,
    closeButtonProps: { "aria-label": "Close" },
    message: (
      <Group justify="space-between" wrap="nowrap">
        <span>{[told, not].filter(Boolean).join("; ")}</span>
        {command.action === "shelve" && done.length ? (
          <Button
            variant="default"
            onClick={() => {
              undo(done);
              notifications.hide(id);
            }}
          >
            Undo
          </Button>
        ) : null}
      </Group>
    ),
  });
}

export function reportFailure(error: Error): void {
  notifications.show({
    title: "The server did not take the action",
    message: error.message,
    withBorder: true,
    autoClose: 10_000,
    closeButtonProps: { "aria-label": "Close" },
  });
}
